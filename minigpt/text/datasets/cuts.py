r"""Where an epoch cuts one long text, so that it learns every token but the first exactly once.

A text of N tokens has $M = N - 1$ targets. An epoch cuts them into n ranges that follow each other: T targets each,
but the first is shorter by $a$ and the last by $w - a$, where $w = nT - M$. The phase $a$ is drawn anew each epoch, so
later epochs see other cuts, while n stays the same. For N = 10, T = 4, where n = 3 and w = 3:

::

    targets        1 2 3 4 5 6 7 8 9
    a = 1          1 1 1 2 2 2 2 3 3
    a = 2          1 1 2 2 2 2 3 3 3

A window is always T inputs and their T next tokens, all of the text: that of a short range begins at the first token or
ends at the last, and what its neighbour learns does not count in it. It costs as much time as any other.

Both shares, $a$ and $w - a$, lie in $0, \dots, T - 1$, so no window is without a target. $n = \lceil M / T \rceil$
leaves $w + 1$ phases and one window more leaves $T - 1 - w$; the larger number is taken, which is at least
$\lfloor T / 2 \rfloor$. Only a text of a single window, M = T, stays whole.

Dimensions: N tokens, M targets, T context length, n windows an epoch.
"""

from functools import lru_cache
from typing import NamedTuple

from minigpt.text.datasets.order import mix, shuffled

CUT_NAME = "every target once"  # part of the fingerprint of data: a run that was started with other cuts is not resumed


class Window(NamedTuple):
    """One row of an epoch.

    Attributes:
        start: the token that its inputs begin with.
        first: the first of its T targets that counts.
        stop: the first target after that which does not count any more; at most T.
    """

    start: int
    first: int
    stop: int


def count_windows(n_targets: int, length: int) -> int:
    """n: into how many ranges of at most ``length`` an epoch cuts ``n_targets``, which are at least ``length``."""
    least = -(-n_targets // length)
    more_phases = len(_phases(n_targets, length, least + 1)) > len(_phases(n_targets, length, least))
    return least + 1 if more_phases and n_targets > length else least


def draw_window(i: int, n_targets: int, length: int, *, seed: int) -> Window:
    """The window that sample ``i`` reads: epochs follow each other, each with other cuts and in another order.

    Args:
        i: counted from 0.
        n_targets: M, at least T.
        length: T.
        seed: names the cuts and the order.
    """
    n_windows = count_windows(n_targets, length)
    epoch, position = divmod(i, n_windows)
    phases = _phases(n_targets, length, n_windows)
    wanted = shuffled(position, n_windows, seed, epoch) * length - phases[_draw(len(phases), seed, epoch)]
    start = min(max(wanted, 0), n_targets - length)
    return Window(start, max(wanted - start, 0), min(wanted - start, 0) + length)


def _phases(n_targets: int, length: int, n_windows: int) -> range:
    """By how many targets the first range may be shorter."""
    waste = n_windows * length - n_targets
    return range(max(0, waste - length + 1), min(waste, length - 1) + 1)


@lru_cache(maxsize=64)
def _draw(n: int, seed: int, epoch: int) -> int:
    return mix(seed, epoch, 1) % n
