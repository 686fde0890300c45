"""What hooks do for the taps: each module that an activation enters or leaves has a handler."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from minigpt.model.hooks import Hook, watched

#: Gets what enters or leaves a module; returns what replaces it, or ``None``.
Handler = Callable[[Tensor], Tensor | None]
#: A module, and what is called with its input and its output.
Handlers = tuple[nn.Module, tuple[Handler | None, Handler | None]]


class Taps:
    """The function that is called, for which names, and what the modules on the way have to do for it.

    Args:
        tap: gets a name and its tensor.
        names: what it is called for.
    """

    def __init__(self, tap: Hook, names: frozenset[str]) -> None:
        self.tap, self.names = tap, names
        self._enters: dict[str, Handler] = {}
        self._leaves: dict[str, Handler] = {}
        self._modules: list[tuple[str, nn.Module]] = []

    def at(self, name: str, x: Tensor) -> Tensor:
        """The activation itself, or what replaces it."""
        if name not in self.names:
            return x
        replacement = self.tap(name, x)
        return x if replacement is None else replacement

    def wants(self, *names: str) -> bool:
        """Whether one of these activations is asked for."""
        return not self.names.isdisjoint(names)

    def follow(self, module: nn.Module, enters: Handler | None, leaves: Handler | None) -> None:
        """Call handlers on what enters and what leaves a module."""
        key = str(len(self._modules))
        self._modules.append((key, module))
        if enters is not None:
            self._enters[key] = enters
        if leaves is not None:
            self._leaves[key] = leaves

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let the handlers see what the modules compute while the block runs."""

        def enters(key: str, x: Tensor) -> Tensor | None:
            return self._enters[key](x) if key in self._enters else None

        def leaves(key: str, x: Tensor) -> Tensor | None:
            return self._leaves[key](x) if key in self._leaves else None

        with watched(self._modules, enters=enters, leaves=leaves):
            yield


class Remembered:
    """One tensor, between two calls."""

    x: Any = None

    def keep(self, x: Tensor) -> None:
        """A handler that changes nothing."""
        self.x = x
