"""The Llama family as Hugging Face writes it: which of its tensors is which of ours.

Llama 2 and 3, TinyLlama and SmolLM2 ("llama"), Qwen2 and Qwen3, Mistral and Mixtral share their names. Queries, keys
and values are three tensors there and are side by side in one here; pairs of RoPE are half a head apart in both.

Source: Touvron et al. 2023, arXiv:2302.13971 and 2307.09288; Llama 3: arXiv:2407.21783; Qwen2: arXiv:2407.10671; Qwen3:
arXiv:2505.09388; Mistral: Jiang et al. 2023, arXiv:2310.06825; Mixtral: Jiang et al. 2024, arXiv:2401.04088. The names
are those of ``transformers``.
"""

from minigpt.model import GPTConfig
from minigpt.pretrained.formats import Format, Stored
from minigpt.pretrained.llama_fields import FAMILIES, Family, llama_config
from minigpt.pretrained.llama_writing import llama_object, not_in_family

LLAMA_HEAD = "lm_head.weight"
_NORMS = {"input_layernorm": "norm_1", "post_attention_layernorm": "norm_2"}
_MLP = {"gate": "gate_proj", "expand": "up_proj", "contract": "down_proj"}
_EXPERT = {"gate": "w1", "expand": "w3", "contract": "w2"}


def llama_places(config: GPTConfig) -> dict[str, Stored]:
    """Where each of our parameters is."""
    found = {
        "token_embedding.weight": Stored(("model.embed_tokens.weight",)),
        "norm.gain": Stored(("model.norm.weight",)),
    }
    for layer in range(config.n_layers):
        found |= _of_block(config, f"blocks.{layer}", f"model.layers.{layer}")
    return found | ({} if config.tied_head else {"head.weight": Stored((LLAMA_HEAD,))})


def _of_block(config: GPTConfig, ours: str, theirs: str) -> dict[str, Stored]:
    has, e = config.biases, config.head_width
    rows = (config.n_heads * e, config.kv_heads * e, config.kv_heads * e)
    attention, other = f"{ours}.attention", f"{theirs}.self_attn"
    found = {f"{ours}.{norm}.gain": Stored((f"{theirs}.{name}.weight",)) for name, norm in _NORMS.items()}
    for leaf in ("weight", *(["bias"] if has["qkv"] else [])):
        names = tuple(f"{other}.{part}_proj.{leaf}" for part in "qkv")
        found[f"{attention}.project_qkv.{leaf}"] = Stored(names, rows)
    for leaf in ("weight", *(["bias"] if has["out"] else [])):
        found[f"{attention}.project_out.{leaf}"] = Stored((f"{other}.o_proj.{leaf}",))
    for part in "qk" if config.qk_norm else "":
        found[f"{attention}.norm_{part}.gain"] = Stored((f"{other}.{part}_norm.weight",))
    if config.n_experts is None:
        leaves = ("weight", *(["bias"] if has["mlp"] else []))
        return found | {
            f"{ours}.mlp.{part}.{leaf}": Stored((f"{theirs}.mlp.{name}.{leaf}",))
            for part, name in _MLP.items()
            for leaf in leaves
        }
    sparse = f"{theirs}.block_sparse_moe"
    found[f"{ours}.mlp.router.weight"] = Stored((f"{sparse}.gate.weight",))
    return found | {
        f"{ours}.mlp.experts.{j}.{part}.weight": Stored((f"{sparse}.experts.{j}.{name}.weight",))
        for j in range(config.n_experts)
        for part, name in _EXPERT.items()
    }


def is_buffer(name: str) -> bool:
    """Whether a tensor is the table of frequencies, which older files hold beside the weights."""
    return name.endswith(".rotary_emb.inv_freq")


def _format(family: Family) -> Format:
    return Format(
        title=family.title,
        gpt_config=lambda fields, dropout, attention: llama_config(family, fields, dropout, attention),
        lacking=lambda config: not_in_family(family, config),
        fields=lambda config: llama_object(family, config),
        places=llama_places,
        head=LLAMA_HEAD,
        is_ignored=is_buffer,
    )


#: The formats of the family, by the ``model_type`` of their ``config.json``.
LLAMA_FORMATS: dict[str, Format] = {name: _format(family) for name, family in FAMILIES.items()}
