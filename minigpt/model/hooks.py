"""What holds for a model only while a block of code runs: evaluation mode, and hooks on its modules.

Named hooks are functions that see what enters and leaves the modules of a model, and may replace it.

One mechanism for everything that looks at a forward pass from outside: the search for the first number that is not
finite, the microscope, and the comparison of two models. The model has no code for it. A hook exists only inside its
``with`` block, so a model that nobody looks at computes what it always computes, in the same time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

#: Gets the name of a module and a tensor that enters or leaves it; returns what replaces the tensor, or ``None``.
Hook = Callable[[str, Tensor], Tensor | None]


@contextmanager
def watched(
    modules: Iterable[tuple[str, nn.Module]], *, enters: Hook | None = None, leaves: Hook | None = None
) -> Iterator[None]:
    """Call functions on what enters and leaves some modules, in the order of computation, while the block runs.

    Args:
        modules: names and modules, as ``model.named_modules()`` lists them.
        enters: gets every tensor among a module's positional arguments, also those in tuples, lists and dicts.
        leaves: gets every tensor that a module returns, alone or in such a collection.
    """
    with ExitStack() as hooks:
        for name, module in modules:
            if enters is not None:
                hooks.enter_context(module.register_forward_pre_hook(partial(_enter, enters, name)))
            if leaves is not None:
                hooks.enter_context(module.register_forward_hook(partial(_leave, leaves, name)))
        yield


_LOCK = Lock()
_MODES: WeakKeyDictionary[nn.Module, list[nn.Module]] = WeakKeyDictionary()  # those in training before
_BLOCKS: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()  # that run now


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode while the block runs: nothing is dropped. Each module is then back in its own mode.

    Where blocks overlap, in several threads or one within another, the last one to end brings the modes back.

    Args:
        model: what computes.
    """
    with _LOCK:
        if not _BLOCKS.get(model, 0):
            _MODES[model] = list(_in_training(model))
            if _MODES[model]:
                model.eval()
        _BLOCKS[model] = _BLOCKS.get(model, 0) + 1
    try:
        yield
    finally:
        with _LOCK:
            _BLOCKS[model] -= 1
            if not _BLOCKS[model]:
                for module in _MODES.pop(model):
                    module.training = True


def _in_training(module: nn.Module) -> Iterator[nn.Module]:
    """The parts that are in training mode; ``model.modules()`` takes several times as long, for every token."""
    parts = [module]
    while parts:
        part = parts.pop()
        if part.training:
            yield part
        parts.extend(child for child in part._modules.values() if child is not None)


def _enter(hook: Hook, name: str, module: nn.Module, inputs: tuple[Any, ...]) -> Any:
    return _seen(hook, name, inputs)


def _leave(hook: Hook, name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
    return _seen(hook, name, output)


def _seen(hook: Hook, name: str, value: Any) -> Any:
    """The value itself, or where a tensor in it was replaced, one of the same kind with the replacement."""
    if isinstance(value, Tensor):
        replacement = hook(name, value)
        return value if replacement is None else replacement
    if not isinstance(value, (tuple, list, dict)):
        return value
    before = list(value.values() if isinstance(value, dict) else value)
    after = [_seen(hook, name, each) for each in before]
    if all(one is other for one, other in zip(before, after, strict=True)):
        return value
    if isinstance(value, dict):
        return type(value)(zip(value, after, strict=True))
    return type(value)(*after) if hasattr(value, "_fields") else type(value)(after)
