"""Which module of one model is which of another: the same name, or GPT-2's names in ``transformers``."""

from torch import nn

from minigpt.model import GPT
from minigpt.pretrained import gpt2

# Without weights of their own: our name, and the one in transformers.
WITHOUT_WEIGHTS = {"": "", "drop": "transformer.drop"}


def counterparts(a: nn.Module, b: nn.Module) -> dict[str, str]:
    """The name in ``b`` of each module in ``a`` that both have.

    Args:
        a: a GPT of ours, one of ``transformers``, or any module.
        b: the other.

    Raises:
        ValueError: if they have no name in common but that of the whole model.
    """
    ours, theirs = (dict(model.named_modules(remove_duplicate=False)) for model in (a, b))
    pairs = {name: name for name in ours if name in theirs}
    if isinstance(a, GPT) and not isinstance(b, GPT):
        pairs |= _gpt2_names(a)
    elif isinstance(b, GPT) and not isinstance(a, GPT):
        pairs |= {their_name: name for name, their_name in _gpt2_names(b).items()}
    pairs = {name: other for name, other in pairs.items() if name in ours and other in theirs}
    if set(pairs) <= {""} and len(ours) + len(theirs) > 2:
        raise ValueError(
            f"the two models have no module of the same name: {_some(ours)} and {_some(theirs)}; "
            "say which is which with names={name in a: name in b}"
        )
    return pairs


def _gpt2_names(model: GPT) -> dict[str, str]:
    """Modules by their tensors' names, and the modules around them; ours first."""
    pairs = dict(WITHOUT_WEIGHTS)
    for ours, place in gpt2.gpt2_places(model.config).items():
        (theirs,) = place.names
        while "." in ours:
            ours, theirs = ours.rpartition(".")[0], theirs.rpartition(".")[0]
            if "." in theirs:  # not the whole of their model without its head, which ours has no module for
                pairs.setdefault(ours, theirs)
    return {**pairs, "head": gpt2.HEAD.rpartition(".")[0]}


def _some(modules: dict[str, nn.Module]) -> str:
    names = [name for name in modules if name]
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "") if names else "one without parts"
