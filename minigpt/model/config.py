"""What a GPT is made of: one frozen, validated description that goes to JSON and back.

Dimensions: V vocabulary, T context, D model width, L layers, H query heads, G key/value heads, F hidden width.
"""

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from minigpt.files.json_object import parse_object
from minigpt.model.backends import ATTENTION
from minigpt.model.initialisation import INITIALISATIONS
from minigpt.model.mlp import ACTIVATIONS
from minigpt.model.norms import NORMS
from minigpt.model.positions.schemes import POSITIONS
from minigpt.settings import (
    Mark,
    Range,
    Rule,
    check_choice,
    check_types,
    fit,
    kinds,
    nearest,
    resolved,
    rule_of,
    shown,
    to_object,
    values,
)

MLPS = (*ACTIVATIONS, "swiglu")
PLACEMENTS = ("pre", "post")
GPT2_VOCABULARY = 50257
MOST_PARAMETERS = 10**13  # 40 TB in float32, more than any model that was ever trained has
WIDTH, LENGTH = Range(1, 2**20), Range(1, 2**24)  # of a layer, in numbers; of a row, in tokens

# The names of the tables, for the command line and for type checkers; a test holds them equal to the tables.
PositionName = Literal["none", "sinusoidal", "learned", "rope-interleaved", "rope-half", "alibi"]
NormName = Literal["layer", "rms"]
PlacementName = Literal["pre", "post"]
MLPName = Literal["gelu", "gelu-tanh", "relu2", "relu", "swiglu"]
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

    vocab_size: Annotated[int, Range(1, 2**31 - 1)]
    context_length: Annotated[int, LENGTH] = 256
    d_model: Annotated[int, WIDTH] = 384
    n_layers: Annotated[int, Range(1, 4096)] = 6
    n_heads: Annotated[int, WIDTH] = 6
    n_kv_heads: Annotated[int | None, WIDTH, Rule("n_heads")] = None
    d_hidden: Annotated[
        int | None, Range(1, 2**24), Rule("(d_model + 2) // 3 * 8 if mlp == 'swiglu' else 4 * d_model")
    ] = None
    position: PositionName = "learned"
    rope_base: Annotated[float, Range(0.0, math.inf, "()", "; the paper has 10000")] = 10000.0
    norm: NormName = "layer"
    norm_placement: PlacementName = "pre"
    norm_eps: Annotated[float, Range(0.0, math.inf, "[)", "; GPT-2 has 1e-5")] = 1e-5
    qk_norm: bool = False
    mlp: MLPName = "gelu-tanh"
    bias: bool = True
    tied_head: bool = True
    convolution: Annotated[int | None, LENGTH] = None
    window: Annotated[int | None, LENGTH] = None
    dropout: Annotated[float, Range(0.0, 1.0, "[)", ": it is the share of activations set to 0")] = 0.0
    initialisation: InitialisationName = "gpt2"
    init_std: Annotated[float, Range(0.0, math.inf, "()", "; GPT-2 has 0.02")] = 0.02
    attention: Annotated[AttentionName, Mark.SAME_NUMBERS] = "auto"

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("position", self.position, POSITIONS)
        check_choice("norm", self.norm, NORMS)
        check_choice("norm_placement", self.norm_placement, PLACEMENTS)
        check_choice("mlp", self.mlp, MLPS)
        check_choice("attention", self.attention, ATTENTION)
        check_choice("initialisation", self.initialisation, INITIALISATIONS)
        self._check_widths()
        self._check_size()

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
                f"(d_model={d}, n_heads={h}); try d_model={d + h}"
            )

    def _check_size(self) -> None:
        if (n := self.n_parameters) > MOST_PARAMETERS:
            raise ValueError(
                f"a model with d_model={self.d_model}, n_layers={self.n_layers}, vocab_size={self.vocab_size} and "
                f"context_length={self.context_length} has {n:.1e} parameters, {4 * n / 1e12:,.0f} TB in float32; the "
                f"limit is {MOST_PARAMETERS:.0e}, {4 * MOST_PARAMETERS / 1e12:.0f} TB: make it smaller"
            )

    @property
    def n_parameters(self) -> int:
        """N, the number of trained numbers, counted by arithmetic alone; a tied head counts once."""
        d, f, biases = self.d_model, self.hidden_width, int(self.bias)
        columns = (self.n_heads + 2 * self.kv_heads) * self.head_width
        expanding = 2 if self.mlp == "swiglu" else 1
        norm = d * (1 + biases) if self.norm == "layer" else d
        attention = (d + biases) * columns + (d + biases) * d + 2 * self.head_width * self.qk_norm
        mlp = expanding * (d + biases) * f + (f + biases) * d
        block = attention + mlp + 2 * norm + d * (self.convolution or 0)
        outside = d * self.vocab_size * (1 if self.tied_head else 2) + norm * (self.norm_placement == "pre")
        positions = d * self.context_length if self.position == "learned" else 0
        return outside + positions + self.n_layers * block

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
        if not isinstance(text, str):
            raise ValueError(f"the model configuration must be a JSON text, got {shown(text)}")
        fields = parse_object(text.encode(), "the model configuration")
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
