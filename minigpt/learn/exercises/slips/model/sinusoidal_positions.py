"""Mistakes with the table of sines and cosines.

Dimensions: T positions, D model width, D/2 pairs of columns.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("sinusoidal_positions")


def _table(
    length: int,
    width: int,
    base: float,
    *,
    first: int = 0,
    exponent: Callable[[Tensor], Tensor] = lambda i: 2 * i,
    even: Callable[[Tensor], Tensor] = torch.sin,
    odd: Callable[[Tensor], Tensor] = torch.cos,
) -> Tensor:
    """The right table, unless one of its parts is changed; ``exponent`` is that of the base, times the width."""
    positions = torch.arange(first, first + length, dtype=torch.float64)[:, None]
    angles = positions / base ** (exponent(torch.arange(width // 2, dtype=torch.float64)) / width)
    return torch.stack((even(angles), odd(angles)), dim=-1).flatten(1)


_mistake(
    "counted-from-one",
    "shift",
    "You gave the first row position 1. Positions count from 0, so the first row reads 0, 1, 0, 1.",
    "第一行用了位置 1。位置从 0 开始计数，所以第一行依次是 0、1、0、1。",
)(partial(_table, first=1))

_mistake(
    "sine-and-cosine-exchanged",
    "order",
    "You put the cosine into the even columns and the sine into the odd ones. Columns 2i, counted from 0, hold the "
    "sine.",
    "余弦放进了偶数列，正弦放进了奇数列。（从 0 数起的）第 2i 列应是正弦。",
)(partial(_table, even=torch.cos, odd=torch.sin))


@_mistake(
    "two-halves",
    "layout",
    "You put all sines into the first half of the columns and all cosines into the second half. The two alternate "
    "here: each sine is followed by the cosine of the same angle.",
    "所有正弦放在前一半的列，所有余弦放在后一半。这里二者应交替排列：每个正弦之后是同一角度的余弦。",
)
def _two_halves(length: int, width: int, base: float) -> Tensor:
    table = _table(length, width, base)
    return torch.cat((table[:, 0::2], table[:, 1::2]), dim=1)


@_mistake(
    "own-frequency-for-each-column",
    "wrong-operand",
    "You computed the frequency from the number of the column, so a cosine turns more slowly than the sine next to it. "
    "Both columns of pair i share the exponent 2i/D, with the even number.",
    "频率是由列号算出的，于是余弦转得比旁边的正弦慢。第 i 对的两列共用同一个指数 2i/D，取偶数列号。",
)
def _own_frequency(length: int, width: int, base: float) -> Tensor:
    columns = torch.arange(width, dtype=torch.float64)
    angles = torch.arange(length, dtype=torch.float64)[:, None] / base ** (columns / width)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos())


_mistake(
    "exponent-without-two",
    "scale",
    "You raised the base to i/D, which uses half of the range of frequencies. The exponent of pair i is 2i/D.",
    "底数的指数用了 i/D，频率只覆盖了一半的范围。第 i 对的指数是 2i/D。",
)(partial(_table, exponent=lambda i: i))

_mistake(
    "exponent-twice-two",
    "scale",
    "You doubled an index that already counted by twos, so the exponent is 4i/D. With i as the number of the pair it "
    "is 2i/D.",
    "下标本已是 0、2、4……却又乘了 2，指数成了 4i/D。以 i 为对的编号，指数是 2i/D。",
)(partial(_table, exponent=lambda i: 4 * i))

_mistake(
    "fixed-base",
    "wrong-operand",
    "You wrote the number 10000 of the paper in place of the argument b. The base is an argument here and sets the "
    "longest wavelength.",
    "直接写了论文中的 10000，没有使用参数 b。这里底数是参数，它决定最长的波长。",
)(lambda length, width, base: _table(length, width, 10000.0))

_mistake(
    "multiplied",
    "sign",
    "You multiplied the position by the power of b, so later pairs turn faster and faster. It is divided: the "
    "wavelengths grow with i.",
    "位置乘以了 b 的幂，于是越靠后的列对转得越快。应当相除：波长随 i 增大。",
)(partial(_table, exponent=lambda i: -2 * i))

_mistake(
    "last-pair-reaches-base",
    "scale",
    "You divided i by D/2 - 1, so that the last pair has exactly the frequency 1/b. The exponent in the formula is "
    "2i/D, and the last pair stays a step before 1/b.",
    "i 除以的是 D/2 - 1，使最后一对的频率恰为 1/b。公式中的指数是 2i/D，最后一对离 1/b 还差一步。",
)(lambda length, width, base: _table(length, width, base, exponent=lambda i: i * width / max(width // 2 - 1, 1)))

_mistake(
    "only-sines",
    "missing",
    "You took the sine in every column. In odd columns the table has the cosine of the angle of the column before.",
    "每一列都取了正弦。奇数列应是前一列同一角度的余弦。",
)(partial(_table, odd=torch.sin))

_mistake(
    "frequencies-reversed",
    "order",
    "You gave the slowest wave to the first pair of columns and the fastest to the last. Pair i = 0 has frequency 1, "
    "and the frequencies fall from there.",
    "把最慢的波给了第一对列，最快的给了最后一对。i = 0 的那一对频率为 1，之后依次减小。",
)(lambda length, width, base: _table(length, width, base, exponent=lambda i: width - 2 - 2 * i))

_mistake(
    "whole-turns",
    "extra",
    "You multiplied the angle by 2π, as if the position counted whole turns. The angle is t divided by the power of b, "
    "in radians.",
    "角度多乘了 2π，好像位置数的是整圈。角度就是 t 除以 b 的幂，单位是弧度。",
)(partial(_table, even=lambda a: torch.sin(2 * torch.pi * a), odd=lambda a: torch.cos(2 * torch.pi * a)))

_mistake(
    "pairs-counted-from-one",
    "shift",
    "You counted the pairs of columns from 1, so the first pair already turns more slowly. Pair i = 0 has the exponent "
    "0 and turns by one radian a position.",
    "列对从 1 开始编号，于是第一对就已经变慢。i = 0 的那一对指数为 0，每个位置转 1 弧度。",
)(partial(_table, exponent=lambda i: 2 * i + 2))

SINUSOIDAL_POSITIONS_MISTAKES = tuple(_mistake.found)
