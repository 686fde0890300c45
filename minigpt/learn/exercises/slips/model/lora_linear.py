"""Mistakes with a frozen linear layer and its low-rank update.

Dimensions: N rows, I input width, O output width, r rank.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("lora_linear")
_Slip = Callable[[Tensor, Tensor, Tensor, Tensor, float], Tensor]


def _scaled(scale: Callable[[float, int, Tensor], float]) -> _Slip:
    """The layer whose update is scaled by another number: of α, the rank and the frozen matrix."""
    return lambda x, weight, a, b, alpha: x @ weight.T + scale(alpha, len(a), weight) * (x @ a.T @ b.T)


_mistake(
    "no-scale",
    "missing",
    "You added the update without a factor. It is scaled by alpha over r.",
    "直接加上了低秩更新，没有乘系数。它要乘以 α/r。",
)(_scaled(lambda alpha, r, w: 1.0))

_mistake(
    "alpha-only",
    "missing",
    "You scaled the update by alpha and did not divide by the rank r. Dividing keeps its size when the rank changes.",
    "低秩更新只乘了 α，没有除以秩 r。除以 r 可使秩改变时更新的大小保持不变。",
)(_scaled(lambda alpha, r, w: alpha))

_mistake(
    "rank-only",
    "missing",
    "You divided the update by the rank and left alpha out. The factor is alpha over r.",
    "低秩更新只除以了秩 r，漏掉了 α。系数是 α/r。",
)(_scaled(lambda alpha, r, w: 1 / r))

_mistake(
    "scale-inverted",
    "sign",
    "You scaled by r over alpha, the inverse. Alpha is the numerator, so a larger alpha means a stronger update.",
    "系数用成了倒数 r/α。α 在分子上：α 越大，更新越强。",
)(_scaled(lambda alpha, r, w: r / alpha))

_mistake(
    "root-of-rank",
    "wrong-operand",
    "You divided by the square root of the rank, as rank-stabilised LoRA does. The formula here divides by r itself.",
    "除以了秩的平方根，那是 rsLoRA 的做法。这里的公式除以 r 本身。",
)(_scaled(lambda alpha, r, w: alpha / r**0.5))

_mistake(
    "divided-by-input-width",
    "wrong-operand",
    "You divided alpha by the input width I. The divisor is the rank, the number of rows of A.",
    "α 除以的是输入宽度 I。除数应是秩，即 A 的行数。",
)(_scaled(lambda alpha, r, w: alpha / w.shape[1]))

_mistake(
    "divided-by-output-width",
    "wrong-operand",
    "You divided alpha by the number of rows of the frozen matrix or of B, the output width. The rank is the inner "
    "dimension, where A and B meet.",
    "α 除以的是输出宽度，即冻结矩阵或 B 的行数。秩是 A 与 B 相接的内侧维度。",
)(_scaled(lambda alpha, r, w: alpha / w.shape[0]))

_mistake(
    "scaled-twice",
    "extra",
    "You applied the factor alpha over r to both low-rank products. It is applied once, to the whole update.",
    "两次低秩乘法都乘了系数 α/r。这个系数对整个更新只乘一次。",
)(_scaled(lambda alpha, r, w: (alpha / r) ** 2))

_mistake(
    "subtracted",
    "sign",
    "You subtracted the update. It is added to the frozen output.",
    "减去了低秩更新。应把它加到冻结部分的输出上。",
)(_scaled(lambda alpha, r, w: -alpha / r))

_mistake(
    "update-only",
    "missing",
    "You returned the update alone. The frozen matrix still contributes its product with x.",
    "只返回了低秩更新。冻结的矩阵与 x 的乘积仍然要加上。",
)(lambda x, weight, a, b, alpha: alpha / len(a) * (x @ a.T @ b.T))

_mistake(
    "frozen-only",
    "missing",
    "You returned the frozen product without the low-rank update.",
    "只返回了冻结部分的乘积，没有加上低秩更新。",
)(lambda x, weight, a, b, alpha: x @ weight.T)

_mistake(
    "everything-scaled",
    "extra",
    "You scaled the sum, so the frozen output is multiplied as well. The factor belongs to the update alone.",
    "对整个和乘了系数，连冻结部分的输出也被缩放了。系数只属于低秩更新。",
)(lambda x, weight, a, b, alpha: alpha / len(a) * (x @ weight.T + x @ a.T @ b.T))

_mistake(
    "frozen-scaled",
    "wrong-operand",
    "You scaled the frozen output in place of the update. The frozen layer stays as it was trained.",
    "系数乘到了冻结部分的输出上，而不是低秩更新上。冻结的层应保持原样。",
)(lambda x, weight, a, b, alpha: alpha / len(a) * (x @ weight.T) + x @ a.T @ b.T)

_mistake(
    "reshaped-not-transposed",
    "transposed",
    "You reshaped the frozen matrix to (I, O), which only counts its numbers off anew. A transpose exchanges rows and "
    "columns.",
    "用变形（reshape）把冻结的矩阵改成 (I, O)，这只是按顺序重新排列各数。转置是交换行与列。",
)(lambda x, weight, a, b, alpha: x @ weight.reshape(weight.shape[::-1]) + alpha / len(a) * (x @ a.T @ b.T))

_mistake(
    "factors-reshaped",
    "transposed",
    "You reshaped the low-rank matrices A and B to fit, in place of transposing them. Rows and columns change places, "
    "not the order of counting.",
    "为了使形状相容，对低秩矩阵 A 和 B 做了变形而不是转置。应交换行与列，而不是重新排列各数。",
)(
    lambda x, weight, a, b, alpha: (
        x @ weight.T + alpha / len(a) * (x @ a.reshape(a.shape[::-1]) @ b.reshape(b.shape[::-1]))
    )
)

_mistake(
    "activation-between",
    "extra",
    "You put a non-linearity between A and B, as in an adapter. The update is linear, so that it can be merged into "
    "the frozen matrix.",
    "在 A 与 B 之间加了非线性激活，那是适配器（adapter）的做法。低秩更新是线性的，因此可以并入冻结的矩阵。",
)(lambda x, weight, a, b, alpha: x @ weight.T + alpha / len(a) * (torch.relu(x @ a.T) @ b.T))

_mistake(
    "multiplied-by-rank",
    "sign",
    "You multiplied alpha by the rank. A larger rank divides the update: the factor is alpha over r.",
    "α 乘以了秩。秩在分母上：系数是 α/r。",
)(_scaled(lambda alpha, r, w: alpha * r))

LORA_LINEAR_MISTAKES = tuple(_mistake.found)
