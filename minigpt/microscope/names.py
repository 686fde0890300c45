"""The names of a model's activations: those that users of TransformerLens know, in the order of computation.

Departure: a post-norm model normalises each sum. Here the stream between two halves of a block is always what the next
half reads, so ``hook_resid_mid`` and ``hook_resid_post`` are then normalised, and ``ln1`` follows attention.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from minigpt.microscope.running import require_gpt
from minigpt.model import GPT, GPTConfig
from minigpt.settings import nearest, shown


def activation_names(model: GPT | GPTConfig) -> list[str]:
    """Every name that :func:`minigpt.look` records of a model, in the order of computation.

    Args:
        model: a model, or its configuration.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(model, GPTConfig):
        require_gpt(model)
    config = model.config if isinstance(model, GPT) else model
    adds_positions = config.position in ("sinusoidal", "learned")
    start = ["hook_embed", *(["hook_pos_embed"] if adds_positions else [])]
    blocks = [f"blocks.{layer}.{name}" for layer in range(config.n_layers) for name in _of_a_block(config)]
    final = ["ln_final.hook_scale", "ln_final.hook_normalized"] if config.norm_placement == "pre" else []
    return [*start, *blocks, *final, "logits"]


def _of_a_block(config: GPTConfig) -> Iterator[str]:
    pre = config.norm_placement == "pre"
    norms = [[f"ln{number}.hook_scale", f"ln{number}.hook_normalized"] for number in (1, 2)]
    yield "hook_resid_pre"
    if config.convolution is not None:
        yield "hook_conv_out"
    yield "hook_attn_in"
    yield from norms[0] if pre else ()
    yield from _of_attention(config)
    yield "hook_attn_out"
    yield from () if pre else norms[0]
    yield from ("hook_resid_mid", "hook_mlp_in")
    yield from norms[1] if pre else ()
    if config.n_experts is None:
        yield from ("mlp.hook_pre", *(["mlp.hook_pre_linear"] if config.mlp == "swiglu" else []), "mlp.hook_post")
    else:
        yield "mlp.hook_router"
    yield "hook_mlp_out"
    yield from () if pre else norms[1]
    yield "hook_resid_post"


def _of_attention(config: GPTConfig) -> Iterator[str]:
    yield from ("attn.hook_q", "attn.hook_k", "attn.hook_v")
    if config.qk_norm:
        yield from ("attn.q_norm.hook_normalized", "attn.k_norm.hook_normalized")
    if config.position.startswith("rope"):
        yield from ("attn.hook_rot_q", "attn.hook_rot_k")
    yield from ("attn.hook_attn_scores", "attn.hook_pattern", "attn.hook_z", "attn.hook_result")


def chosen_names(model: GPT, names: str | Iterable[str] | None) -> list[str]:
    """The names that some patterns mean, in the order of computation.

    Args:
        model: what is looked at.
        names: a name, or several; ``*`` stands for anything, as in ``"blocks.*.hook_z"``; ``None`` means all.

    Raises:
        ValueError: if one of them is no activation of the model, with the nearest name that is.
    """
    known = activation_names(model)
    if names is None:
        return known
    if not isinstance(names, Iterable):
        raise ValueError(f"names={shown(names)} must be a name, several, or None for all of them")
    patterns = [names] if isinstance(names, str) else list(names)
    for pattern in patterns:
        if not isinstance(pattern, str) or not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(unknown(pattern, known))
    return [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]


def unknown(name: object, known: list[str]) -> str:
    """The message about a name that is not known.

    Args:
        name: what was asked for.
        known: the names that there are.
    """
    meant = nearest(name, known) if isinstance(name, str) else ""
    return f"no activation is called {shown(name)}{meant or '; minigpt.microscope.activation_names(model) lists them'}"


def head_of(name: str) -> str:
    """A name without its layer: what it is called in every block.

    Args:
        name: such as ``"blocks.3.attn.hook_z"``.
    """
    return ".".join("*" if part.isdigit() else part for part in name.split("."))
