r"""Which head reads what an earlier head writes, told from the weights alone.

A head writes $W^{OV} = W^O W^V$ times what it attends to, and compares a query with a key by $x_t^\top W^{QK} x_s$,
where $W^{QK} = (W^Q)^\top W^K$. A later head can use what an earlier one wrote as its query, its key or its value.
How much it does is the size of the product of their matrices over the product of their sizes, each a Frobenius norm.
Random matrices have scores of about $1/\sqrt D$, whatever their ranks; what stands out from it counts.

Dimensions: D model width, E head width, L layers, H query heads; matrices act on columns.
Source: Elhage et al. 2021, A Mathematical Framework for Transformer Circuits, section on composition.
Departure: the gain of the norm in front of a head is part of its matrices; what the norm divides by, the mean that
LayerNorm subtracts, biases, rotations and QK-norms are left out, and a score with a matrix of zeros is 0.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from minigpt.equations import equation
from minigpt.microscope.running import require_gpt
from minigpt.model import GPT
from minigpt.model.block import PreNormBlock
from minigpt.model.heads import share_heads
from minigpt.settings import check_choice, whole_number
from minigpt.settings.language import Bilingual

ELHAGE = "Elhage et al. 2021, A Mathematical Framework for Transformer Circuits, composition of heads"
QK, OV = "(D, D) W^{QK} of the later head: query, key", "(D, D) W^{OV} of the earlier head: written, read"
_KINDS = ("q", "k", "v")
_HEADER = Bilingual("kind  writes → reads    score", "类型  写入 → 读取      分数")
_BASELINE = Bilingual("1/√D = {:.3f}, about what random matrices have", "1/√D = {:.3f}，随机矩阵大致如此")


@equation(
    "q-composition",
    r"s = \frac{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} (\sum_{k=1}^{D} M_{ki} O_{kj})^2}}"
    r"{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} M_{ij}^2} \sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} O_{ij}^2}}",
    symbols={"M": QK, "O": OV, "D": "() model width", "s": "() from 0 to 1"},
    source=ELHAGE,
)
def q_composition(qk: Tensor, ov: Tensor) -> Tensor:
    """How much of its query a head takes from what an earlier head wrote.

    Args:
        qk: ``(..., D, D)`` of the later head, queries in the rows.
        ov: ``(..., D, D)`` of the earlier head.

    Returns:
        ``(...)`` from 0 to 1; 0 where a matrix is 0.
    """
    return _relative_size(qk.mT, ov)


@equation(
    "k-composition",
    r"s = \frac{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} (\sum_{k=1}^{D} M_{ik} O_{kj})^2}}"
    r"{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} M_{ij}^2} \sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} O_{ij}^2}}",
    symbols={"M": QK, "O": OV, "D": "() model width", "s": "() from 0 to 1"},
    source=ELHAGE,
)
def k_composition(qk: Tensor, ov: Tensor) -> Tensor:
    """How much of its keys a head takes from what an earlier head wrote.

    Args:
        qk: ``(..., D, D)`` of the later head, queries in the rows.
        ov: ``(..., D, D)`` of the earlier head.

    Returns:
        ``(...)`` from 0 to 1; 0 where a matrix is 0.
    """
    return _relative_size(qk, ov)


@equation(
    "v-composition",
    r"s = \frac{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} (\sum_{k=1}^{D} N_{ik} O_{kj})^2}}"
    r"{\sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} N_{ij}^2} \sqrt{\sum_{i=1}^{D} \sum_{j=1}^{D} O_{ij}^2}}",
    symbols={
        "N": "(D, D) W^{OV} of the later head: written, read",
        "O": OV,
        "D": "() model width",
        "s": "() from 0 to 1",
    },
    source=ELHAGE,
)
def v_composition(later: Tensor, ov: Tensor) -> Tensor:
    """How much of its values a head takes from what an earlier head wrote: together they are one head further on.

    Args:
        later: ``(..., D, D)`` W^OV of the later head.
        ov: ``(..., D, D)`` of the earlier head.

    Returns:
        ``(...)`` from 0 to 1; 0 where a matrix is 0.
    """
    return _relative_size(later, ov)


def _relative_size(reads: Tensor, writes: Tensor) -> Tensor:
    """``(...)``: the Frobenius norm of the product over those of the factors, or 0."""
    reads, writes = _scaled(reads), _scaled(writes)
    sizes = _size(reads) * _size(writes)
    return torch.where(sizes > 0, _size(reads @ writes) / sizes, 0.0)


def _size(matrix: Tensor) -> Tensor:
    return matrix.square().sum((-2, -1)).sqrt()


def _scaled(matrix: Tensor) -> Tensor:
    """The matrix over its largest entry, so that no square overflows or vanishes; zeros stay zeros."""
    largest = matrix.abs().amax((-2, -1), keepdim=True)
    return matrix / torch.where(largest > 0, largest, 1.0)


@dataclass(frozen=True, eq=False)
class CompositionScores:
    """How much each head takes from each earlier one.

    Attributes:
        q: ``(L, H, L, H)`` :func:`q_composition`: layer and head that read, then layer and head that wrote; 0 where the
            writer is in the same layer or a later one.
        k: ``(L, H, L, H)`` :func:`k_composition`.
        v: ``(L, H, L, H)`` :func:`v_composition`.
        baseline: 1/√D, about what random matrices have.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    baseline: float

    def pairs(self, kind: str = "k", most: int = 10) -> list[tuple[tuple[int, int], tuple[int, int], float]]:
        """The pairs with the highest scores: writer, reader and score.

        Args:
            kind: "q", "k" or "v".
            most: how many pairs.

        Raises:
            ValueError: if there is no such kind, or ``most`` is not a whole number of at least 1.
        """
        check_choice("kind", kind, _KINDS)
        values: Tensor = getattr(self, kind)
        reads_later = torch.arange(len(values))[:, None] > torch.arange(len(values))
        places = reads_later[:, None, :, None].expand(values.shape).nonzero().tolist()
        found = [((b, c), (layer, head), float(values[layer, head, b, c])) for layer, head, b, c in places]
        return sorted(found, key=lambda pair: -pair[2])[: whole_number("most", most, 1)]

    def __str__(self) -> str:
        rows = [_HEADER.spoken()]
        for kind in _KINDS:
            for (a, b), (layer, head), score in self.pairs(kind, 3):
                rows.append(f"{kind.upper():6}{f'L{a}H{b} → L{layer}H{head}':18}{score:.3f}")
        return "\n".join([*rows, _BASELINE.spoken().format(self.baseline)])

    __repr__ = __str__


@torch.no_grad()
def composition_scores(model: GPT) -> CompositionScores:
    """The composition scores of every head with every head of an earlier layer.

    Args:
        model: a GPT; nothing is run.

    Returns:
        The scores, in float64, on the CPU.

    Raises:
        ValueError: if the model is not a GPT, or has adapters that are not merged.
    """
    require_gpt(model)
    n_layers, n_heads, width = model.config.n_layers, model.config.n_heads, model.config.d_model
    heads = [_matrices(model, layer) for layer in range(n_layers)]
    scores = torch.zeros(3, n_layers, n_heads, n_layers, n_heads, dtype=torch.float64)
    for layer in range(n_layers):
        w_q, w_k, w_v, w_o = heads[layer]
        for earlier in range(layer):
            *_, v, o = heads[earlier]
            sides = (w_k.mT, w_q), (w_q.mT, w_k), (w_o, w_v)  # reads = left @ right
            for kind, (left, right) in enumerate(sides):
                scores[kind, layer, :, earlier] = _of_factors(left, right, o, v)
    q, k, v = scores
    return CompositionScores(q=q, k=k, v=v, baseline=width**-0.5)


def _of_factors(a: Tensor, b: Tensor, o: Tensor, v: Tensor) -> Tensor:
    """``(H, H)``: the relative size of (A B)(O V) for all pairs, from products of width E alone.

    With orthonormal columns of A and rows of V taken out, what is left has the same size.
    """
    return _relative_size((_triangle(a) @ b)[:, None], o @ _triangle(v.mT).mT)


def _triangle(matrix: Tensor) -> Tensor:
    """R of the QR decomposition, ``(H, E, E)``."""
    return torch.linalg.qr(matrix, mode="r").R


def _matrices(model: GPT, layer: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W^Q, W^K, W^V ``(H, E, D)`` and W^O ``(H, D, E)`` of a layer, with the gain of the norm before them."""
    config, block = model.config, cast(PreNormBlock, model.blocks[layer])
    for part in (block.attention.project_qkv, block.attention.project_out):
        if not isinstance(part, nn.Linear):
            raise ValueError(f"layer {layer} has a {type(part).__name__} in its attention; merge adapters first")
    h, g, e = config.n_heads, config.kv_heads, config.head_width
    gain = getattr(block.norm_1, "gain", None) if config.norm_placement == "pre" else None
    rows = block.attention.project_qkv.weight.detach().cpu().double()
    rows = (rows if gain is None else rows * gain.detach().cpu().double()).unflatten(0, (h + 2 * g, e))
    w_q, w_k, w_v = rows.split([h, g, g])
    w_k, w_v = share_heads(w_k, h), share_heads(w_v, h)
    w_o = block.attention.project_out.weight.detach().cpu().double().unflatten(1, (h, e)).transpose(0, 1)
    return w_q, w_k, w_v, w_o
