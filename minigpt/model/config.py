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
from minigpt.model.positions.scaling import ROPE_SCALINGS
from minigpt.model.positions.schemes import POSITIONS
from minigpt.model.presets import GPT2_VOCABULARY, PRESETS
from minigpt.model.shape import ModelShape, check_shape
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
    shown,
    to_object,
)

MLPS = (*ACTIVATIONS, "swiglu")
PLACEMENTS = ("pre", "post")
WIDTH, LENGTH = Range(1, 2**20), Range(1, 2**24)  # of a layer, in numbers; of a row, in tokens

# The names of the tables, for the command line and for type checkers; a test holds them equal to the tables.
PositionName = Literal["none", "sinusoidal", "learned", "rope-interleaved", "rope-half", "alibi"]
RopeScalingName = Literal["none", "linear", "ntk", "yarn", "llama3"]
NormName = Literal["layer", "rms"]
PlacementName = Literal["pre", "post"]
MLPName = Literal["gelu", "gelu-tanh", "relu2", "relu", "swiglu"]
InitialisationName = Literal["gpt2", "plain", "zero"]
AttentionName = Literal["formula", "sdpa", "products", "triton", "auto"]


@dataclass(frozen=True, kw_only=True)
class GPTConfig(ModelShape):
    """Model: the shape of a GPT and the choice of each of its parts.

    Attributes:
        vocab_size: V, number of tokens; ids are 0 … V-1. In a run it is that of the tokenizer.
        context_length: T, most tokens that the model sees at once.
        d_model: D, width of the residual stream.
        n_layers: L, number of blocks.
        n_heads: H, number of query heads; divides d_model unless d_head is given.
        n_kv_heads: G, number of key/value heads, a divisor of H.
        d_head: E, width of a head.
        d_hidden: F, hidden width of the MLP.
        position: position scheme.
        rope_base: base of the rotary and sinusoidal wavelengths.
        rope_scaling: change of the rotary frequencies for rows longer than those of the first training.
        rope_factor: s, how many times longer the rows are.
        rope_original_context: length of the rows of the first training in tokens ("yarn" and "llama3").
        rope_low_turns: turns over those rows up to which a pair is slowed down by s ("yarn" and "llama3").
        rope_high_turns: turns from which a pair keeps its frequency ("yarn" and "llama3").
        rope_attention_factor: factor on rotated queries and keys ("yarn").
        norm: norm: LayerNorm or RMSNorm.
        norm_placement: norms inside the branches (GPT-2) or after the sums (the first Transformer).
        norm_eps: constant added under the root of every norm.
        qk_norm: normalise queries and keys before their dot product.
        mlp: activation of the MLP; "swiglu" is gated.
        n_experts: MLPs among which a router chooses for each token (default: one MLP and no router).
        n_active_experts: experts that each token goes through.
        bias: biases in linear maps and LayerNorms.
        qkv_bias: biases of queries, keys and values.
        out_bias: bias of the output matrix of attention.
        mlp_bias: biases in the MLP.
        tied_head: the output matrix is the embedding matrix.
        convolution: positions, itself included, that a short convolution mixes at the start of each
            block (default: no convolution).
        window: positions that a query sees, itself included (default: the whole past).
        window_layers: layers that have the window, a letter each, repeated: "w" a window, "f" the full past; "wf" is
            every other layer.
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
    d_head: Annotated[int | None, WIDTH, Rule("d_model // n_heads")] = None
    d_hidden: Annotated[
        int | None, Range(1, 2**24), Rule("(d_model + 2) // 3 * 8 if mlp == 'swiglu' else 4 * d_model")
    ] = None
    position: PositionName = "learned"
    rope_base: Annotated[float, Range(0.0, math.inf, "()", "; the paper has 10000")] = 10000.0
    rope_scaling: RopeScalingName = "none"
    rope_factor: Annotated[float, Range(1.0, math.inf, "[)", ": it is how many times longer the rows are")] = 1.0
    rope_original_context: Annotated[int | None, LENGTH, Rule("context_length")] = None
    rope_low_turns: Annotated[float, Range(0.0, math.inf, "()")] = 1.0
    rope_high_turns: Annotated[
        float | None, Range(0.0, math.inf, "()"), Rule("32.0 if rope_scaling == 'yarn' else 4.0")
    ] = None
    rope_attention_factor: Annotated[
        float | None,
        Range(0.0, math.inf, "()"),
        Rule("0.1 * log(rope_factor) + 1 if rope_scaling == 'yarn' else 1.0"),
    ] = None
    norm: NormName = "layer"
    norm_placement: PlacementName = "pre"
    norm_eps: Annotated[float, Range(0.0, math.inf, "[)", "; GPT-2 has 1e-5")] = 1e-5
    qk_norm: bool = False
    mlp: MLPName = "gelu-tanh"
    n_experts: Annotated[int | None, Range(1, 1024)] = None
    n_active_experts: Annotated[int, Range(1, 1024)] = 2
    bias: bool = True
    qkv_bias: Annotated[bool | None, Rule("bias")] = None
    out_bias: Annotated[bool | None, Rule("bias")] = None
    mlp_bias: Annotated[bool | None, Rule("bias")] = None
    tied_head: bool = True
    convolution: Annotated[int | None, LENGTH] = None
    window: Annotated[int | None, LENGTH] = None
    window_layers: str = "w"
    dropout: Annotated[float, Range(0.0, 1.0, "[)", ": it is the share of activations set to 0")] = 0.0
    initialisation: InitialisationName = "gpt2"
    init_std: Annotated[float, Range(0.0, math.inf, "()", "; GPT-2 has 0.02")] = 0.02
    attention: Annotated[AttentionName, Mark.SAME_NUMBERS] = "auto"

    def __post_init__(self) -> None:
        check_types(self)
        check_choice("position", self.position, POSITIONS)
        check_choice("rope_scaling", self.rope_scaling, ROPE_SCALINGS)
        check_choice("norm", self.norm, NORMS)
        check_choice("norm_placement", self.norm_placement, PLACEMENTS)
        check_choice("mlp", self.mlp, MLPS)
        check_choice("attention", self.attention, ATTENTION)
        check_choice("initialisation", self.initialisation, INITIALISATIONS)
        check_shape(self)

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
