"""Mistakes with rotary positions in the interleaved layout.

Dimensions: T positions, E head width, E/2 pairs; leading axes are arbitrary.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("rotary_positions")


def _turned(
    x: Tensor, base: float, *, first: int = 0, exponent: Callable[[Tensor], Tensor] = lambda i: -2 * i, axis: int = -2
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The even and the odd coordinates, and the cosines and sines of their angles."""
    pairs = torch.arange(x.shape[-1] // 2, dtype=torch.float64)
    positions = torch.arange(first, first + x.shape[axis], dtype=torch.float64)
    angles = positions[:, None] * base ** (exponent(pairs) / x.shape[-1])
    if axis != -2:
        angles = angles.reshape(-1, *[1] * (x.dim() - 2), len(pairs))
    a, b = x[..., 0::2].double(), x[..., 1::2].double()
    return a, b, angles.cos(), angles.sin()


def _rotated(x: Tensor, base: float, **changes: Callable[[Tensor], Tensor] | int) -> Tensor:
    a, b, cos, sin = _turned(x, base, **changes)  # type: ignore[arg-type]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@_mistake(
    "half-layout",
    "layout",
    "You paired coordinate i with coordinate i + E/2, the layout of the Llama weights. In the interleaved layout of "
    "the paper neighbours form a pair: 2i and 2i + 1.",
    "把第 i 维与第 i + E/2 维配成了一对，那是 Llama 权重的布局。论文的交错布局中相邻两维成对：2i 与 2i + 1。",
)
def _halves(x: Tensor, base: float) -> Tensor:
    _, _, cos, sin = _turned(x, base)
    a, b = x.double().chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


@_mistake(
    "halves-out",
    "layout",
    "You rotated neighbouring pairs correctly, but then wrote all first coordinates and after them all second ones. "
    "The results go back to the places 2i and 2i + 1.",
    "相邻两维的旋转是对的，但输出时先写了所有第一分量，再写所有第二分量。结果应放回 2i 与 2i + 1 的位置。",
)
def _halves_out(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)


@_mistake(
    "other-direction",
    "sign",
    "You rotated by the negative angle: the minus is at the sine of the second coordinate. In the first coordinate the "
    "sine is subtracted, in the second it is added.",
    "旋转方向反了，转了负的角度：减号放到了第二个分量的正弦前。应当在第一个分量中减去正弦项，在第二个分量中加上正弦项"
    "。",
)
def _backwards(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.stack((a * cos + b * sin, b * cos - a * sin), dim=-1).flatten(-2)


@_mistake(
    "reflected",
    "sign",
    "You subtracted in both coordinates, which mirrors each pair instead of rotating it. In the second coordinate both "
    "terms are added.",
    "两个分量都用了减号，得到的是反射而不是旋转。第二个分量中两项应相加。",
)
def _reflected(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.stack((a * cos - b * sin, a * sin - b * cos), dim=-1).flatten(-2)


@_mistake(
    "both-added",
    "sign",
    "You added in both coordinates, so the lengths of the pairs change. A rotation subtracts the sine term in the "
    "first coordinate.",
    "两个分量都用了加号，于是每一对的长度会改变。旋转在第一个分量中要减去正弦项。",
)
def _both_added(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.stack((a * cos + b * sin, a * sin + b * cos), dim=-1).flatten(-2)


@_mistake(
    "sine-and-cosine-exchanged",
    "order",
    "You exchanged sine and cosine, so that position 0 already turns by a right angle. At position 0 the angle is 0, "
    "the cosine is 1, and x stays as it is.",
    "正弦与余弦互换了，于是位置 0 就转了直角。位置 0 的角度为 0，余弦为 1，x 应保持不变。",
)
def _exchanged(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.stack((a * sin - b * cos, a * cos + b * sin), dim=-1).flatten(-2)


@_mistake(
    "overwritten",
    "order",
    "You computed the second coordinate from the first one after its rotation. Both results use the old pair, from "
    "before anything was overwritten.",
    "计算第二个分量时用的是已经旋转过的第一个分量。两个结果都应由旋转之前的那一对算出，不能边写边用。",
)
def _overwritten(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    a = a * cos - b * sin
    return torch.stack((a, a * sin + b * cos), dim=-1).flatten(-2)


_mistake(
    "counted-from-one",
    "shift",
    "You started at position 1, so the first vector is already rotated. Positions count from 0, and the first vector "
    "stays unchanged.",
    "位置从 1 开始，于是第一个向量就已经被旋转。位置从 0 开始计数，第一个向量应保持不变。",
)(partial(_rotated, first=1))

_mistake(
    "exponent-without-two",
    "scale",
    "You used the exponent -i/E, half of what it is. Pair i turns by t times b to the power -2i/E.",
    "指数用了 -i/E，只有应有的一半。第 i 对的转角是 t 乘以 b 的 -2i/E 次方。",
)(partial(_rotated, exponent=lambda i: -i))

_mistake(
    "positive-exponent",
    "sign",
    "You left out the minus of the exponent, so later pairs turn ever faster. The frequencies fall with i.",
    "指数漏了负号，于是越靠后的对转得越快。频率应随 i 减小。",
)(partial(_rotated, exponent=lambda i: 2 * i))

_mistake(
    "one-frequency",
    "missing",
    "You turned every pair by the same angle t. Each pair has a frequency of its own, and only pair 0 has frequency 1.",
    "每一对都转了相同的角度 t。各对有各自的频率，只有第 0 对的频率为 1。",
)(partial(_rotated, exponent=lambda i: 0 * i))

_mistake(
    "fixed-base",
    "wrong-operand",
    "You wrote 10000 in place of the argument b. That is the usual base, but here the base is given.",
    "直接写了 10000，没有使用参数 b。那是常用的底数，但这里底数是给定的参数。",
)(lambda x, base: _rotated(x, 10000.0))

_mistake(
    "positions-on-the-first-axis",
    "axis",
    "You counted the positions along the first axis. With leading axes, such as batch or heads, the positions are the "
    "last axis but one.",
    "位置是沿第一个轴计数的。有批量、注意力头等前导轴时，位置在倒数第二个轴上。",
)(partial(_rotated, axis=0))


@_mistake(
    "added",
    "wrong-operand",
    "You added the table of sines and cosines to x. Rotary positions multiply: they turn each pair and leave its "
    "length.",
    "把正弦、余弦表加到了 x 上。旋转位置编码是乘法：它使每一对转动，长度不变。",
)
def _added(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    return torch.stack((a + sin, b + cos), dim=-1).flatten(-2)


_mistake(
    "exponent-twice-two",
    "scale",
    "You doubled an index that already counted by twos: the exponent became -4i/E. With i as the number of the pair it "
    "is -2i/E.",
    "下标本已是 0、2、4……却又乘了 2，指数成了 -4i/E。以 i 为对的编号，指数是 -2i/E。",
)(partial(_rotated, exponent=lambda i: -4 * i))

_mistake(
    "pairs-counted-from-one",
    "shift",
    "You numbered the pairs from 1, so the first pair turns too slowly. Pair 0 turns by the full angle t.",
    "对的编号从 1 开始，于是第一对转得太慢。第 0 对的转角就是 t。",
)(partial(_rotated, exponent=lambda i: -2 * i - 2))


@_mistake(
    "angles-in-halves",
    "layout",
    "You rotated neighbours, but repeated the table of angles as two halves, so the two coordinates of a pair turn by "
    "different angles. Each angle is repeated twice in a row.",
    "旋转的是相邻两维，但角度表是按前后两半重复的，于是一对中的两个分量用了不同的角度。每个角度应连续重复两次。",
)
def _angles_in_halves(x: Tensor, base: float) -> Tensor:
    a, b, cos, sin = _turned(x, base)
    turned = torch.stack((-b, a), dim=-1).flatten(-2)
    return x * torch.cat((cos, cos), dim=-1) + turned * torch.cat((sin, sin), dim=-1)


@_mistake(
    "partner-half-away",
    "layout",
    "You repeated each angle for two neighbours, but took the partner of a coordinate from the other half of the "
    "vector. The partner of 2i is 2i + 1.",
    "角度是按相邻两维重复的，但每个分量的搭档取自向量的另一半。2i 的搭档是 2i + 1。",
)
def _partner_half_away(x: Tensor, base: float) -> Tensor:
    _, _, cos, sin = _turned(x, base)
    first, second = x.double().chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x * cos.repeat_interleave(2, dim=-1) + turned * sin.repeat_interleave(2, dim=-1)


ROTARY_POSITIONS_MISTAKES = tuple(_mistake.found)
