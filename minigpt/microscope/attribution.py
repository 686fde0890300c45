r"""Direct logit attribution: what each part of a model adds to a logit, or to the difference of two.

The residual stream is a sum of what the embeddings, heads and MLPs add. With its scale frozen, the final norm is
linear, so the logit is a sum over the same parts. It says what a part writes to the logits directly, not what later
parts make of it.

Dimensions: K parts, B batch, T positions, D model width, V vocabulary.
Source: Elhage et al. 2021, A Mathematical Framework for Transformer Circuits.
"""

from dataclasses import dataclass

import torch
from einops import einsum
from torch import Tensor

from minigpt.equations import equation
from minigpt.microscope.frozen_norms import norm_scale, shift_of
from minigpt.microscope.record import Activations, look
from minigpt.microscope.running import ids_of_rows, require_gpt
from minigpt.model import GPT, CausalSelfAttention, LayerNorm
from minigpt.settings import whole_number
from minigpt.settings.language import Bilingual, filled

_SUM, _MODEL = Bilingual("sum", "总和"), Bilingual("model", "模型")


@equation(
    "direct-logit-attribution",
    r"d_k = \frac{1}{s} \sum_{i=1}^{D} g_i (U_{ai} - U_{bi}) (c_{ki} - \mu_k)",
    where=[r"\mu_k = \frac{m}{D} \sum_{i=1}^{D} c_{ki}"],
    symbols={
        "c": "(K, D) what each part adds to the stream",
        "s": "() scale of the final norm",
        "g": "(D) gain of the final norm",
        "m": "() 1 for LayerNorm, which takes the mean off, 0 for RMSNorm",
        "U": "(V, D) matrix of the head",
        "a": "() token, counted from 1",
        "b": "() token that it is compared with",
        "d": "(K) what each part adds to the difference of the two logits",
    },
    source="Elhage et al. 2021, A Mathematical Framework for Transformer Circuits",
)
def attributed(parts: Tensor, scale: Tensor, gain: Tensor, direction: Tensor, *, centred: bool = True) -> Tensor:
    """What each part adds along a direction after the final norm.

    Args:
        parts: ``(K, ..., D)``, what each part adds to the stream.
        scale: ``(..., 1)``, what the norm divides by.
        gain: ``(D,)`` of the norm.
        direction: ``(..., D)``, the head's row of a token, or the difference of two rows.
        centred: whether the norm takes the mean off.

    Returns:
        ``(K, ...)``.
    """
    moved = parts - parts.mean(-1, keepdim=True) if centred else parts
    return einsum(moved / scale, gain * direction, "k ... d, ... d -> k ...")


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each part of the model adds.

    Attributes:
        names: of the K parts: "embed", "pos_embed", "L0H3" for a head, "L0.attn_bias", "L0.mlp", "L0.conv", and
            "norm_shift" for the shift of the final norm.
        values: ``(K, B)`` logits.
        total: ``(B,)`` the logit, or the difference of two, that the model computed; the values add up to it.
    """

    names: list[str]
    values: Tensor
    total: Tensor

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.names:
            raise ValueError(f"no part is called {name!r}; there are {', '.join(self.names)}")
        return self.values[self.names.index(name)]

    def __str__(self) -> str:
        means = self.values.mean(1).tolist()
        order = sorted(range(len(means)), key=lambda k: -abs(means[k]))
        rows = [f"{self.names[k]:<14}{means[k]:>9.3f}" for k in order]
        for words, value in ((_SUM, sum(means)), (_MODEL, float(self.total.mean()))):
            rows.append(f"{filled(words.spoken(), 14)}{value:>9.3f}")
        return "\n".join(rows)

    __repr__ = __str__


def attribute(
    model: GPT, ids: Tensor, token: int | Tensor, against: int | Tensor | None = None, *, position: int = -1
) -> Attribution:
    """Split a logit, or the difference of two, into what each part of a pre-norm model adds to it.

    Args:
        model: a pre-norm GPT.
        ids: ``(B, T)`` token ids.
        token: whose logit: a token id, or ``(B,)`` of them.
        against: the token whose logit is subtracted, or ``(B,)`` of them; ``None``: none is.
        position: whose logits are read.

    Returns:
        A value for each part and each sequence.

    Raises:
        ValueError: if the model is post-norm: there, no sum reaches the head; or if there is no such token or position.
    """
    require_gpt(model)
    if model.config.norm_placement != "pre":
        raise ValueError("attribution needs norm_placement='pre': after a norm, the stream is no sum of what was added")
    wanted = ["hook_embed", "*hook_mlp_out", "*hook_result", "*hook_resid_pre", "*hook_resid_post", "logits"]
    wanted += [name for name in ("hook_pos_embed", "*hook_conv_out") if _has(model, name)]
    record = look(model, ids, wanted)
    position = whole_number("position", position, -ids.shape[1], ids.shape[1] - 1)
    with torch.no_grad():
        head = model.head.weight
        logits = record.logits[:, position]
        chosen = ids_of_rows("token", token, [len(ids)], logits)
        row = head[chosen]
        total = logits.gather(1, chosen[:, None])[:, 0]
        if against is not None:
            other = ids_of_rows("against", against, [len(ids)], logits)
            row, total = row - head[other], total - logits.gather(1, other[:, None])[:, 0]
        parts = _parts(model, record, position)
        scale = norm_scale(model.norm, record.residual[-1][:, position])
        gain = model.norm.get_parameter("gain").to(scale.dtype)  # in 16 bits the parts would not add up
        row, total = row.to(scale.dtype), total.to(scale.dtype)
        values = attributed(
            torch.stack([*parts.values()]).to(scale.dtype), scale, gain, row, centred=isinstance(model.norm, LayerNorm)
        )
        shift = shift_of(model.norm)
        if shift is not None:
            values = torch.cat([values, (row @ shift.to(scale.dtype))[None]])
    return Attribution([*parts, *(["norm_shift"] if shift is not None else [])], values, total)


def _has(model: GPT, name: str) -> bool:
    config = model.config
    return config.position in ("sinusoidal", "learned") if "pos" in name else config.convolution is not None


def _parts(model: GPT, record: Activations, position: int) -> dict[str, Tensor]:
    """``(B, D)`` for each part that adds to the stream at a position."""
    parts = {"embed": record["hook_embed"]}
    if "hook_pos_embed" in record:
        parts["pos_embed"] = record["hook_pos_embed"]
    for layer, block in enumerate(model.blocks):
        if f"blocks.{layer}.hook_conv_out" in record:
            parts[f"L{layer}.conv"] = record[f"blocks.{layer}.hook_conv_out"]
        heads = record[f"blocks.{layer}.attn.hook_result"]
        parts |= {f"L{layer}H{head}": heads[:, :, head] for head in range(heads.shape[2])}
        attention = block.get_submodule("attention")
        assert isinstance(attention, CausalSelfAttention)
        if attention.project_out.bias is not None:
            parts[f"L{layer}.attn_bias"] = attention.project_out.bias.expand_as(heads[:, :, 0])
        parts[f"L{layer}.mlp"] = record[f"blocks.{layer}.hook_mlp_out"]
    return {name: x[:, position] for name, x in parts.items()}
