"""The architectures of GGUF files: which of their fields and tensors is which of ours.

llama.cpp names the blocks of every model alike, and an architecture says which parts they have. "llama" rotates
neighbouring coordinates, (2i, 2i+1), and its files hold the rows of the query and key matrices in that order. Hugging
Face, and ``position="rope-half"`` here, rotate coordinates half a head apart, (i, i+E/2), and so do "qwen2" and
"qwen3". A model whose rows are in the wrong order still writes words, so tests compare its logits.

Dimensions: D model width, H query heads, G key/value heads, E head width, L layers.
"""

from dataclasses import dataclass
from typing import Any, Literal

from einops import rearrange
from torch import Tensor

from minigpt.model import GPTConfig
from minigpt.pretrained.gguf.rope import SCALING_FIELDS, rope_lacking

EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
SIZE_FIELDS = {
    "context_length": "context_length",
    "d_model": "embedding_length",
    "n_layers": "block_count",
    "n_heads": "attention.head_count",
    "d_hidden": "feed_forward_length",
}
KV_HEADS, ROPE_BASE, KEY_LENGTH = "attention.head_count_kv", "rope.freq_base", "attention.key_length"
# Fields that say again what others say, or what our model does in any case.
REPEATED_FIELDS = {"vocab_size", KEY_LENGTH, "attention.value_length"}
ROPE_REPEATED_FIELDS = {"rope.dimension_count"}
#: What every architecture has.
COMMON_PARTS = {"norm_placement": "pre", "convolution": None}
#: The tensors that hold the experts of a block one behind the other, and what ours are called.
EXPERT_STACKS = {"ffn_gate_exps.weight": "gate", "ffn_up_exps.weight": "expand", "ffn_down_exps.weight": "contract"}
#: Of a mixture of experts: how many there are, through how many a token goes, and the width of each.
N_EXPERTS, N_ACTIVE, EXPERT_WIDTH = "expert_count", "expert_used_count", "expert_feed_forward_length"


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """One architecture.

    Attributes:
        name: in ``general.architecture``, and before the names of its fields.
        parts: of our configuration, those that tell it from other architectures.
        biases: places of its linear maps that have biases: "qkv", "out", "mlp".
        eps: name of its field of the constant under the root of a norm.
        outer: our parameters beside the blocks, by the tensors of the file.
        block: our parameters of a block, by its tensors.
        qkv: tensors whose rows, one below the other, are queries, keys and values.
        are_rows_permuted: whether the rows of queries and keys are in the order of :func:`neighbouring_rows`.
        divides_frequencies: whether its files may hold the tensor of Llama 3's rotary frequencies.
        experts: whether its MLPs are mixtures of experts: "never", "maybe" or "always".
    """

    name: str
    parts: dict[str, Any]
    biases: frozenset[str] = frozenset()
    eps: str = "attention.layer_norm_rms_epsilon"
    outer: dict[str, str]
    block: dict[str, str]
    qkv: tuple[str, ...] = ("attn_q", "attn_k", "attn_v")
    are_rows_permuted: bool = False
    divides_frequencies: bool = False
    experts: Literal["never", "maybe", "always"] = "never"

    @property
    def rotates(self) -> bool:
        """Whether its positions are rotary."""
        return bool(self.parts["position"] == "rope-half")

    @property
    def repeated(self) -> set[str]:
        """Names of the fields that say again what others say."""
        return REPEATED_FIELDS | (ROPE_REPEATED_FIELDS if self.rotates else set())

    @property
    def known(self) -> set[str]:
        """Names of all fields that are read."""
        rope = {ROPE_BASE, *SCALING_FIELDS} if self.rotates else set()
        experts: dict[str, set[str]] = {
            "never": set(),
            "maybe": {N_EXPERTS, N_ACTIVE},
            "always": {N_EXPERTS, N_ACTIVE, EXPERT_WIDTH},
        }
        return {*SIZE_FIELDS.values(), KV_HEADS, self.eps, *self.repeated, *rope, *experts[self.experts]}

    @property
    def our_parts(self) -> dict[str, Any]:
        """What a file of this architecture says of our configuration by its name alone."""
        biases = {f"{place}_bias": True for place in self.biases} if self.biases and not self.parts["bias"] else {}
        return {**self.parts, **biases}

    def sources(self, config: GPTConfig) -> dict[str, tuple[str, ...]]:
        """The tensors of a file whose rows, one below the other, are each parameter of ours, by its name.

        Args:
            config: of the model.
        """
        sources: dict[str, tuple[str, ...]] = {ours: (theirs,) for theirs, ours in self.outer.items()}
        sources |= {} if config.tied_head else {"head.weight": (OUTPUT,)}
        for layer in range(config.n_layers):
            for leaf in ("weight", *(["bias"] if "qkv" in self.biases else [])):
                qkv = tuple(f"blk.{layer}.{part}.{leaf}" for part in self.qkv)
                sources[f"blocks.{layer}.attention.project_qkv.{leaf}"] = qkv
            block = self.block if config.n_experts is None else {**_without_mlp(self.block), **_ROUTER}
            sources |= {f"blocks.{layer}.{ours}": (f"blk.{layer}.{theirs}",) for theirs, ours in block.items()}
        return sources

    def stacks(self, config: GPTConfig) -> dict[str, list[str]]:
        """The parameters of ours that are one tensor of a file, one behind the other, by its name: those of experts.

        Args:
            config: of the model.
        """
        numbers = range(config.n_experts or 0)
        return {
            f"blk.{layer}.{theirs}": [f"blocks.{layer}.mlp.experts.{j}.{ours}.weight" for j in numbers]
            for layer in range(config.n_layers if numbers else 0)
            for theirs, ours in EXPERT_STACKS.items()
        }

    def permuted_heads(self, tensor: str, config: GPTConfig) -> int | None:
        """The heads of a tensor whose rows are in the order of :func:`neighbouring_rows`; ``None`` for other tensors.

        Args:
            tensor: its name in the file.
            config: of the model.
        """
        heads = {"attn_q": config.n_heads, "attn_k": config.kv_heads}
        return heads.get(tensor.split(".")[-2]) if self.are_rows_permuted else None

    def lacking(self, config: GPTConfig) -> list[str]:
        """The parts of a configuration that it has no place for, as a message names them, such as "norm='layer'".

        Args:
            config: ours.
        """
        parts = {name: part for name, part in {**COMMON_PARTS, **self.parts}.items() if name != "bias"}
        other = [f"{name}={getattr(config, name)!r}" for name, part in parts.items() if getattr(config, name) != part]
        biases = [f"{place}_bias={has}" for place, has in config.biases.items() if has != (place in self.biases)]
        if self.experts == ("never" if config.n_experts is not None else "always"):
            other += [f"n_experts={config.n_experts}"]
        other += biases if self.rotates or config.bias else ["bias=False"]  # LayerNorm has some, too
        other += rope_lacking(config, divides=self.divides_frequencies)
        other += [] if set(config.windows) == {None} else [f"window={config.window}"]
        if not self.rotates:
            other += [] if config.kv_heads == config.n_heads else [f"n_kv_heads={config.n_kv_heads}"]
            other += [] if config.n_heads * config.head_width == config.d_model else [f"d_head={config.d_head}"]
        return other


def half_split_rows(weight: Tensor, n_heads: int) -> Tensor:
    """The rows of a query or key matrix, from pairs of neighbours to pairs half a head apart.

    Args:
        weight: ``(H E, D)``; in each head row 2i is the first coordinate of pair i, and row 2i+1 the second.
        n_heads: H, or G for keys.

    Returns:
        ``(H E, D)``; in each head row i is the first coordinate of pair i, and row i+E/2 the second.
    """
    return rearrange(weight, "(h i two) d -> (h two i) d", h=n_heads, two=2)


def neighbouring_rows(weight: Tensor, n_heads: int) -> Tensor:
    """What :func:`half_split_rows` undoes; same arguments."""
    return rearrange(weight, "(h two i) d -> (h i two) d", h=n_heads, two=2)


def _without_mlp(block: dict[str, str]) -> dict[str, str]:
    return {theirs: ours for theirs, ours in block.items() if not ours.startswith("mlp.")}


_LLAMA_PARTS: dict[str, Any] = {"position": "rope-half", "norm": "rms", "mlp": "swiglu", "bias": False}
_LLAMA_OUTER = {EMBEDDING: "token_embedding.weight", "output_norm.weight": "norm.gain"}
_LLAMA_BLOCK = {
    "attn_norm.weight": "norm_1.gain",
    "attn_output.weight": "attention.project_out.weight",
    "ffn_norm.weight": "norm_2.gain",
    "ffn_gate.weight": "mlp.gate.weight",
    "ffn_up.weight": "mlp.expand.weight",
    "ffn_down.weight": "mlp.contract.weight",
}
_ROUTER = {"ffn_gate_inp.weight": "mlp.router.weight"}
_QWEN3_BLOCK = {"attn_q_norm.weight": "attention.norm_q.gain", "attn_k_norm.weight": "attention.norm_k.gain"}
_GPT2_LAYERS = {"attn_output": "attention.project_out", "ffn_up": "mlp.expand", "ffn_down": "mlp.contract"}

#: Every architecture that is read and written, by its name.
ARCHITECTURES: dict[str, Architecture] = {
    each.name: each
    for each in (
        Architecture(
            name="llama",
            parts={**_LLAMA_PARTS, "qk_norm": False},
            outer=_LLAMA_OUTER,
            block=_LLAMA_BLOCK,
            are_rows_permuted=True,
            divides_frequencies=True,
            experts="maybe",
        ),
        Architecture(
            name="qwen2",
            parts={**_LLAMA_PARTS, "qk_norm": False},
            biases=frozenset({"qkv"}),
            outer=_LLAMA_OUTER,
            block=_LLAMA_BLOCK,
        ),
        Architecture(
            name="qwen3",
            parts={**_LLAMA_PARTS, "qk_norm": True},
            outer=_LLAMA_OUTER,
            block={**_LLAMA_BLOCK, **_QWEN3_BLOCK},
        ),
        Architecture(
            name="qwen3moe",
            parts={**_LLAMA_PARTS, "qk_norm": True},
            outer=_LLAMA_OUTER,
            block={**_LLAMA_BLOCK, **_QWEN3_BLOCK},
            experts="always",
        ),
        Architecture(
            name="gpt2",
            parts={"position": "learned", "norm": "layer", "mlp": "gelu-tanh", "bias": True, "qk_norm": False},
            biases=frozenset({"qkv", "out", "mlp"}),
            eps="attention.layer_norm_epsilon",
            outer={
                EMBEDDING: "token_embedding.weight",
                "position_embd.weight": "position.embedding.weight",
                "output_norm.weight": "norm.gain",
                "output_norm.bias": "norm.shift",
            },
            block={
                **{f"{n}.{leaf}": f"{ours}.{leaf}" for n, ours in _GPT2_LAYERS.items() for leaf in ("weight", "bias")},
                **{"attn_norm.weight": "norm_1.gain", "attn_norm.bias": "norm_1.shift"},
                **{"ffn_norm.weight": "norm_2.gain", "ffn_norm.bias": "norm_2.shift"},
            },
            qkv=("attn_qkv",),
        ),
    )
}
