"""What every run under the microscope has in common: the model is a GPT, at rest, and the ids are where it is.

Dimensions: B batch, T positions.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from minigpt.model import GPT


def require_gpt(model: object) -> None:
    """Refuse what is not a GPT itself.

    Args:
        model: what was given.

    Raises:
        ValueError: if it is something else; the message says what to give.
    """
    if not isinstance(model, GPT):
        inner = getattr(model, "_orig_mod", getattr(model, "module", None))
        advice = "pass the GPT inside it" if isinstance(inner, GPT) else "pass a minigpt.GPT"
        raise ValueError(f"the microscope looks into a GPT, got {type(model).__name__}: {advice}")


def on_device(model: GPT, ids: Tensor) -> Tensor:
    """Token ids where the model's weights are.

    Args:
        model: what will read them.
        ids: ``(B, T)``.

    Raises:
        ValueError: if they are not a tensor.
    """
    if not isinstance(ids, Tensor):
        raise ValueError(f"ids must be a tensor (B, T) of token ids, got {type(ids).__name__}: use torch.tensor([ids])")
    return ids.to(model.token_embedding.weight.device)


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Evaluation mode while the block runs: nothing is dropped. Each module is then back in its own mode.

    Args:
        model: what computes.
    """
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
