"""What a GPT is made of: one frozen, validated description that goes to JSON and back.

Dimensions: V vocabulary, T context, D model width, L layers, H query heads, G key/value heads, F hidden width.
"""

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from minigpt.model.backends import ATTENTION
from minigpt.model.initialisation import INITIALISATIONS
from minigpt.model.mlp import ACTIVATIONS
from minigpt.model.norms import NORMS
from minigpt.model.position_schemes import POSITIONS
from minigpt.settings import (
    Mark,
    Rule,
    check_choice,
    check_types,
    fit,
    kinds,
    nearest,
    resolved,
    rule_of,
    to_object,
    values,
)

MLPS = (*ACTIVATIONS, "swiglu")
PLACEMENTS = ("pre", "post")
GPT2_VOCABULARY = 50257

# The names of the tables, for the command line and for type checkers; a test holds them equal to the tables.
PositionName = Literal["none", "sinusoidal", "learned", "rope-interleaved", "rope-half", "alibi"]
NormName = Literal["layer", "rms"]
PlacementName = Literal["pre", "post"]
MLPName = Literal["gelu", "gelu-tanh", "relu2", "swiglu"]
InitialisationName = Literal["gpt2", "plain", "zero"]
AttentionName = Literal["formula", "sdpa", "triton", "auto"]


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """Model: the shape of a GPT and the choice of each of its parts.

    Attributes:
        vocab_size: V, number of tokens; ids are 0 … V-1. In a run it is that of the tokenizer.
        context_length: T, most tokens that the model sees at once.
        d_model: D, width of the residual stream.
        n_layers: L, number of blocks.
        n_heads: H, number of query heads; divides d_model.
        n_kv_heads: G, number of key/value heads, a divisor of H.
        d_hidden: F, hidden width of the MLP.
        position: position scheme.
        rope_base: base of the rotary and sinusoidal wavelengths.
        norm: norm: LayerNorm or RMSNorm.
        norm_placement: norms inside the branches (GPT-2) or after the sums (the first Transformer).
        norm_eps: constant added under the root of every norm.
        qk_norm: normalise queries and keys before their dot product.
        mlp: activation of the MLP; "swiglu" is gated.
        bias: biases in linear maps and LayerNorms.
        tied_head: the output matrix is the embedding matrix.
        convolution: positions, itself included, that a short convolution mixes at the start of each block
            (default: no convolution).
        window: positions that a query sees, itself included (default: the whole past).
        dropout: share of activations dropped in training.
        initialisation: start of the matrices that write to the residual stream.
        init_std: standard deviation of the initial weights.
        attention: way to compute attention, with the same value.
    """

    vocab_size: int
    context_length: int = 256
    d_model: int = 384
    n_layers: int = 6
    n_heads: int = 6
    n_kv_heads: Annotated[int | None, Rule("n_heads")] = None
    d_hidden: Annotated[int | None, Rule("(d_model + 2) // 3 * 8 if mlp == 'swiglu' else 4 * d_model")] = None
    position: PositionName = "learned"
    rope_base: float = 10000.0
    norm: NormName = "layer"
    norm_placement: PlacementName = "pre"
    norm_eps: float = 1e-5
    qk_norm: bool = False
    mlp: MLPName = "gelu-tanh"
    bias: bool = True
    tied_head: bool = True
    convolution: int | None = None
    window: int | None = None
    dropout: float = 0.0
    initialisation: InitialisationName = "gpt2"
    init_std: float = 0.02
    attention: Annotated[AttentionName, Mark.SAME_NUMBERS] = "auto"

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("vocab_size", "context_length", "d_model", "n_layers", "n_heads"):
            _check_positive(name, getattr(self, name))
        for name in ("n_kv_heads", "d_hidden", "convolution", "window"):
            if getattr(self, name) is not None:
                _check_positive(name, getattr(self, name))
        check_choice("position", self.position, POSITIONS)
        check_choice("norm", self.norm, NORMS)
        check_choice("norm_placement", self.norm_placement, PLACEMENTS)
        check_choice("mlp", self.mlp, MLPS)
        check_choice("attention", self.attention, ATTENTION)
        check_choice("initialisation", self.initialisation, INITIALISATIONS)
        self._check_widths()
        if not 0 < self.init_std < math.inf:
            raise ValueError(f"init_std={self.init_std} must be a finite number greater than 0; GPT-2 has 0.02")
        if not 0 < self.rope_base < math.inf:
            raise ValueError(f"rope_base={self.rope_base} must be a finite number greater than 0; the paper has 10000")
        if not 0 <= self.norm_eps < math.inf:
            raise ValueError(f"norm_eps={self.norm_eps} must be a finite number of at least 0; GPT-2 has 1e-5")
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
        return int(self._or_rule("n_kv_heads"))

    @property
    def head_width(self) -> int:
        """E = D / H."""
        return self.d_model // self.n_heads

    @property
    def hidden_width(self) -> int:
        """F, with ``None`` resolved."""
        return int(self._or_rule("d_hidden"))

    def _or_rule(self, name: str) -> Any:
        """A field, or what its rule gives."""
        value, rule = getattr(self, name), rule_of(GPTConfig, name)
        return rule.value(values(self)) if value is None and rule is not None else value

    def resolved(self) -> Self:
        """The same with each ``None`` that follows a rule replaced by its value."""
        return resolved(self)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named model, with any field changed: ``GPTConfig.preset("nano", vocab_size=65)``.

        Without another one, the vocabulary is GPT-2's.

        Raises:
            ValueError: if the name is not one of ``PRESETS``, or a field is wrong.
        """
        check_choice("preset", name, PRESETS)
        return cls(**{"vocab_size": GPT2_VOCABULARY, **PRESETS[name], **changes})

    def to_json(self) -> str:
        """This configuration as a JSON object, one field a line."""
        return json.dumps(to_object(self), indent=2)

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
        known: dict[str, Any] = kinds(GPTConfig)
        if unknown := sorted(set(fields) - set(known)):
            raise ValueError(f"unknown field(s) {unknown} in the model configuration{nearest(unknown[0], known)}")
        if "vocab_size" not in fields:
            raise ValueError("the model configuration lacks the field vocab_size")
        return cls(**{name: fit(name, value, known[name]) for name, value in fields.items()})


#: The fields of each preset, by its name.
PRESETS: dict[str, dict[str, Any]] = {
    "nano": {"context_length": 64, "d_model": 128, "n_layers": 4, "n_heads": 4},
    "micro": {"context_length": 256, "d_model": 384, "n_layers": 6, "n_heads": 6},
    "gpt2": {"context_length": 1024, "d_model": 768, "n_layers": 12, "n_heads": 12},
    "gpt2-medium": {"context_length": 1024, "d_model": 1024, "n_layers": 24, "n_heads": 16},
    "gpt2-large": {"context_length": 1024, "d_model": 1280, "n_layers": 36, "n_heads": 20},
    "gpt2-xl": {"context_length": 1024, "d_model": 1600, "n_layers": 48, "n_heads": 25},
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


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1")
