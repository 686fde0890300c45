"""What a GPT is made of: one frozen, validated description that goes to JSON and back.

Dimensions: V vocabulary, T context, D model width, L layers, H query heads, G key/value heads, F hidden width.
"""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Self

from minigpt.model.backends import ATTENTION
from minigpt.model.initialisation import INITIALISATIONS
from minigpt.model.mlp import ACTIVATIONS
from minigpt.model.norms import NORMS
from minigpt.model.position_schemes import POSITIONS

MLPS = (*ACTIVATIONS, "swiglu")
PLACEMENTS = ("pre", "post")


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The shape of a GPT and the choice of each of its parts.

    Attributes:
        vocab_size: V, token ids are 0 … V-1.
        context_length: T, the most tokens that the model sees at once.
        d_model: D, the width of the residual stream.
        n_layers: L, the number of blocks.
        n_heads: H, query heads; must divide ``d_model``.
        n_kv_heads: G, key/value heads, a divisor of H; ``None`` means H.
        d_hidden: F, the hidden width of the MLP; ``None`` means 4·D, or 8·D/3 rounded up to a multiple of 8 for SwiGLU.
        position: "learned", "none", "sinusoidal", "rope-interleaved", "rope-half" or "alibi".
        rope_base: base of the rotary and sinusoidal wavelengths.
        norm: "layer" or "rms".
        norm_placement: "pre" (GPT-2) or "post" (the first Transformer).
        norm_eps: added under the root of every norm.
        qk_norm: whether queries and keys are normalised before their dot product.
        mlp: "gelu", "gelu-tanh", "relu2" or "swiglu".
        bias: whether linear maps and LayerNorms have one.
        tied_head: whether the output matrix is the embedding matrix.
        convolution: over how many positions, itself included, each block first mixes the stream; ``None`` for none.
        window: how many positions a query sees, itself included; ``None`` means the whole past.
        dropout: the share of activations dropped in training.
        initialisation: "gpt2", "plain" or "zero": how a block's last matrices start.
        init_std: standard deviation of the initial weights.
        attention: "auto", "formula", "sdpa" or "triton": how attention is computed, never what it is.
    """

    vocab_size: int
    context_length: int = 256
    d_model: int = 384
    n_layers: int = 6
    n_heads: int = 6
    n_kv_heads: int | None = None
    d_hidden: int | None = None
    position: str = "learned"
    rope_base: float = 10000.0
    norm: str = "layer"
    norm_placement: str = "pre"
    norm_eps: float = 1e-5
    qk_norm: bool = False
    mlp: str = "gelu-tanh"
    bias: bool = True
    tied_head: bool = True
    convolution: int | None = None
    window: int | None = None
    dropout: float = 0.0
    initialisation: str = "gpt2"
    init_std: float = 0.02
    attention: str = "auto"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "context_length", "d_model", "n_layers", "n_heads"):
            _check_positive(name, getattr(self, name))
        for name in ("n_kv_heads", "d_hidden", "convolution", "window"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        _check_choice("position", self.position, POSITIONS)
        _check_choice("norm", self.norm, NORMS)
        _check_choice("norm_placement", self.norm_placement, PLACEMENTS)
        _check_choice("mlp", self.mlp, MLPS)
        _check_choice("attention", self.attention, ATTENTION)
        _check_choice("initialisation", self.initialisation, INITIALISATIONS)
        self._check_widths()
        if not 0 < self.init_std < math.inf:
            raise ValueError(f"init_std={self.init_std} must be a finite number greater than 0; GPT-2 has 0.02")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} must lie in [0, 1): it is the share of activations set to 0")

    def _check_widths(self) -> None:
        d, h = self.d_model, self.n_heads
        if d % h:
            fit = f"d_model={d - d % h}" if d > h else f"n_heads={d}"
            raise ValueError(f"d_model={d} must be divisible by n_heads={h}; try {fit}")
        if h % self.kv_heads:
            raise ValueError(
                f"n_heads={h} must be a multiple of n_kv_heads={self.n_kv_heads}; try one of "
                f"{[g for g in range(1, h + 1) if h % g == 0]}"
            )
        needs_pairs = {"sinusoidal": d, "rope-interleaved": self.head_width, "rope-half": self.head_width}
        if needs_pairs.get(self.position, 0) % 2:
            raise ValueError(
                f"position={self.position!r} needs an even width, got {needs_pairs[self.position]} "
                f"(d_model={d}, n_heads={h}); try d_model={d + d % 2} with a number of heads that leaves heads even"
            )

    @property
    def kv_heads(self) -> int:
        """G, with ``None`` resolved."""
        return self.n_heads if self.n_kv_heads is None else self.n_kv_heads

    @property
    def head_width(self) -> int:
        """E = D / H."""
        return self.d_model // self.n_heads

    @property
    def hidden_width(self) -> int:
        """F, with ``None`` resolved."""
        if self.d_hidden is not None:
            return self.d_hidden
        return -(-8 * self.d_model // 3 // 8) * 8 if self.mlp == "swiglu" else 4 * self.d_model

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named model, with any field changed: ``GPTConfig.preset("nano", vocab_size=65)``.

        Raises:
            ValueError: if the name is not one of ``PRESETS``, or a field is wrong.
        """
        _check_choice("preset", name, PRESETS)
        return cls(**{**PRESETS[name], **changes})

    def to_json(self) -> str:
        """This configuration as a JSON object, one field a line."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The configuration that :meth:`to_json` wrote.

        Raises:
            ValueError: if the text is no JSON object, or has a field that is unknown, missing or of another type.
        """
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a model configuration must be JSON: {error}") from None
        if not isinstance(fields, dict):
            raise ValueError(f"a model configuration must be a JSON object, got {type(fields).__name__}")
        known = {field.name: field for field in dataclasses.fields(cls)}
        if unknown := sorted(set(fields) - set(known)):
            raise ValueError(f"unknown field(s) {unknown} in the model configuration; known: {sorted(known)}")
        if "vocab_size" not in fields:
            raise ValueError("the model configuration lacks the field vocab_size")
        for name, value in fields.items():
            _check_type(name, value, known[name].type)
        return cls(**fields)


#: The fields of each preset, by its name.
PRESETS: dict[str, dict[str, Any]] = {
    "nano": {"vocab_size": 50257, "context_length": 64, "d_model": 128, "n_layers": 4, "n_heads": 4},
    "micro": {"vocab_size": 50257, "context_length": 256, "d_model": 384, "n_layers": 6, "n_heads": 6},
    "gpt2": {"vocab_size": 50257, "context_length": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12},
    "gpt2-medium": {"vocab_size": 50257, "context_length": 1024, "d_model": 1024, "n_layers": 24, "n_heads": 16},
    "gpt2-large": {"vocab_size": 50257, "context_length": 1024, "d_model": 1280, "n_layers": 36, "n_heads": 20},
    "gpt2-xl": {"vocab_size": 50257, "context_length": 1024, "d_model": 1600, "n_layers": 48, "n_heads": 25},
    "llama-tiny": {
        "vocab_size": 32000,
        "context_length": 256,
        "d_model": 256,
        "n_layers": 6,
        "n_heads": 8,
        "n_kv_heads": 4,
        "position": "rope-half",
        "norm": "rms",
        "mlp": "swiglu",
        "bias": False,
    },
}


def _check_positive(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1")


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in choices:
        raise ValueError(f"{name}={value!r} is unknown; choose one of {', '.join(choices)}")


def _check_type(name: str, value: object, annotation: Any) -> None:
    allowed = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
    kinds = [kind.strip() for kind in getattr(annotation, "__name__", str(annotation)).split("|")]
    if value is None and "None" in str(annotation):
        return
    fits = any(isinstance(value, allowed.get(kind, ())) for kind in kinds)
    if not fits or (isinstance(value, bool) and "bool" not in kinds):
        raise ValueError(f"{name} must be {annotation}, got {value!r}")
