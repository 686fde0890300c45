"""Mistakes with clipping by the global norm.

Dimensions: K gradients of any shapes.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("clip_gradients")
_Gradients = list[Tensor]


def _shrunk(gradients: _Gradients, norm: Tensor, max_norm: float) -> _Gradients:
    factor = (max_norm / norm).clamp(max=1)
    return [g * factor for g in gradients]


def _norm(gradients: _Gradients) -> Tensor:
    return torch.cat([g.flatten() for g in gradients]).norm()


@_mistake(
    "by-value",
    "wrong-operand",
    "You clipped each number to the interval from −c to c, which is clipping by value and turns the direction. "
    "Clipping by norm multiplies all numbers by one common factor.",
    "把每个数限制在 −c 到 c 之间，这是按值裁剪，会改变梯度的方向。按范数裁剪是把所有的数乘以同一个系数。",
)
def _by_value(gradients: _Gradients, max_norm: float) -> _Gradients:
    return [g.clamp(-max_norm, max_norm) for g in gradients]


@_mistake(
    "each-by-itself",
    "axis",
    "You clipped each tensor by its own norm. The norm is global: one number for all K tensors together, so that "
    "their proportions stay.",
    "每个张量按各自的范数裁剪。这里的范数是全局的：K 个张量合在一起只有一个范数，它们之间的比例因此不变。",
)
def _each_by_itself(gradients: _Gradients, max_norm: float) -> _Gradients:
    return [g * (max_norm / g.norm().clamp(min=1e-12)).clamp(max=1) for g in gradients]


@_mistake(
    "always-scaled",
    "missing",
    "You scaled the gradients to the norm c in every case, so that small gradients grow. The minimum with 1 leaves "
    "gradients within the limit untouched.",
    "无论大小都把梯度缩放到范数 c，于是小梯度被放大了。与 1 取最小值，可使未超过上限的梯度保持不变。",
)
def _always(gradients: _Gradients, max_norm: float) -> _Gradients:
    return [g * (max_norm / _norm(gradients)) for g in gradients]


@_mistake(
    "only-grows",
    "wrong-operand",
    "You took the larger of 1 and c/N, so large gradients are left alone and small ones grow. The factor is the "
    "smaller of the two and never above 1.",
    "取了 1 与 c/N 中较大的一个，于是大梯度不变，小梯度反而被放大。系数应取两者中较小的，永远不超过 1。",
)
def _only_grows(gradients: _Gradients, max_norm: float) -> _Gradients:
    return [g * (max_norm / _norm(gradients)).clamp(min=1) for g in gradients]


@_mistake(
    "quotient-inverted",
    "order",
    "You inverted the quotient and used N/c. _Gradients that are too long have to shrink by c/N, limit over norm.",
    "商写反了，用的是 N/c。过长的梯度要按“上限除以范数”即 c/N 缩小。",
)
def _inverted(gradients: _Gradients, max_norm: float) -> _Gradients:
    return [g * (_norm(gradients) / max_norm).clamp(max=1) for g in gradients]


@_mistake(
    "no-root",
    "missing",
    "You compared the sum of squares with the limit, without its square root. The norm is the root of that sum.",
    "直接用平方和与上限比较，没有开平方。范数是平方和的平方根。",
)
def _no_root(gradients: _Gradients, max_norm: float) -> _Gradients:
    return _shrunk(gradients, _norm(gradients) ** 2, max_norm)


@_mistake(
    "sum-of-norms",
    "order",
    "You added up the norms of the tensors. Squares are what adds up: the global norm is the root of the sum of the "
    "squared norms.",
    "把各张量的范数直接相加了。应当相加的是范数的平方：全局范数是各范数平方之和的平方根。",
)
def _sum_of_norms(gradients: _Gradients, max_norm: float) -> _Gradients:
    return _shrunk(gradients, torch.stack([g.norm() for g in gradients]).sum(), max_norm)


@_mistake(
    "largest-tensor",
    "wrong-operand",
    "You took the norm of the longest tensor as the norm of all. The global norm counts the squares of all K tensors.",
    "把最长的那个张量的范数当作了全局范数。全局范数要计入全部 K 个张量的平方。",
)
def _largest_tensor(gradients: _Gradients, max_norm: float) -> _Gradients:
    return _shrunk(gradients, torch.stack([g.norm() for g in gradients]).amax(), max_norm)


@_mistake(
    "absolute-values",
    "wrong-operand",
    "You measured by the sum of absolute values, the 1-norm. The norm here is the Euclidean one, the root of the sum "
    "of squares.",
    "用绝对值之和（1-范数）来度量。这里用的是欧几里得范数，即平方和的平方根。",
)
def _absolute(gradients: _Gradients, max_norm: float) -> _Gradients:
    return _shrunk(gradients, torch.cat([g.flatten() for g in gradients]).abs().sum(), max_norm)


@_mistake(
    "largest-number",
    "wrong-operand",
    "You measured by the largest absolute value of a single number, the maximum norm. The Euclidean norm takes every "
    "number into account.",
    "用单个数的最大绝对值（最大范数）来度量。欧几里得范数要计入每一个数。",
)
def _largest_number(gradients: _Gradients, max_norm: float) -> _Gradients:
    return _shrunk(gradients, torch.cat([g.flatten() for g in gradients]).abs().amax(), max_norm)


@_mistake(
    "root-mean-square",
    "scale",
    "You took the mean of the squares under the root. The norm is the root of their sum, so it grows with the number "
    "of parameters.",
    "根号下取的是平方的平均值（均方根）。范数是平方之和的平方根，会随参数个数增大。",
)
def _root_mean_square(gradients: _Gradients, max_norm: float) -> _Gradients:
    flat = torch.cat([g.flatten() for g in gradients])
    return _shrunk(gradients, flat.square().mean().sqrt(), max_norm)


@_mistake(
    "to-norm-one",
    "missing",
    "_Gradients beyond the limit were shrunk to norm 1: you divided by N and left out the factor c. After clipping the "
    "norm is c.",
    "超过上限的梯度被缩到了范数 1：只除以 N，漏乘了 c。裁剪后的范数应当是 c。",
)
def _to_norm_one(gradients: _Gradients, max_norm: float) -> _Gradients:
    norm = _norm(gradients)
    return [g / norm if norm > max_norm else g.clone() for g in gradients]


CLIP_GRADIENTS_MISTAKES = tuple(_mistake.found)
