"""What is seen in the results themselves: exchanged, given back, sorted, regrouped, hidden, or off by one number."""

from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from minigpt.learn.judge.compare import Diagnosis, close, differing, is_array
from minigpt.learn.judge.diagnoses.evidence import Evidence, Pairs
from minigpt.learn.judge.diagnoses.layouts import fits, said

#: What a hidden entry may be instead of 0.
TINY = 1e-12


def arrangements(evidence: Evidence) -> Iterator[Diagnosis]:
    """Results in another order, an argument that is returned as it is, and values in another order.

    Args:
        evidence: all calls.
    """
    yield from exchanged_results(evidence)
    yield from given_back(evidence)
    for transform, en, zh in ((lambda a: np.sort(a, -1), "rising", "从小到大"), (falling, "falling", "从大到小")):
        if fits(evidence.pairs, transform):
            yield said(
                "sorted",
                "order",
                f"The right numbers are sorted in {en} order; each belongs to its own place.",
                f"数值正确，但被按{zh}排序了；每个值应在自己的位置上。",
            )
    yield from regrouped(evidence.pairs)


def falling(array: np.ndarray) -> np.ndarray:
    """The numbers of the last axis, the largest first."""
    return np.flip(np.sort(array, -1), -1)


def exchanged_results(evidence: Evidence) -> Iterator[Diagnosis]:
    """Several results that are right, but in another order."""
    n = len(evidence.trials[0].expected)
    if not 2 <= n <= 3 or evidence.is_list:
        return
    calls = list(zip(evidence.got, evidence.trials, strict=True))
    for order in list(permutations(range(n)))[1:]:
        if all(close(got[k], trial.expected[order[k]]) for got, trial in calls for k in range(n)):
            told = ", ".join(str(k + 1) for k in order)
            yield said(
                "exchanged-results",
                "order",
                f"The results are right, but they are returned in the order {told}.",
                f"各个结果都正确，但返回的次序成了 {told}。",
            )


def given_back(evidence: Evidence) -> Iterator[Diagnosis]:
    """A wrong result that is one of the arguments."""
    for k in evidence.wrong_results if not evidence.is_list else ():
        for i, name in enumerate(evidence.names):
            values = [trial.arguments[i] for trial in evidence.trials]
            if all(map(is_array, values)) and all(
                close(got[k], np.asarray(value, dtype=float)) for got, value in zip(evidence.got, values, strict=True)
            ):
                yield said(
                    "given-back",
                    "missing",
                    f"The result is the argument {name} as it was given: the step that changes it is left out.",
                    f"结果就是传入的参数 {name} 本身：改变它的那一步被漏掉了。",
                )


def interleaved(array: np.ndarray) -> np.ndarray:
    """The two halves of the last axis, taken in turn."""
    halves = array.reshape(*array.shape[:-1], 2, -1)
    return halves.swapaxes(-1, -2).reshape(array.shape)


def in_halves(array: np.ndarray) -> np.ndarray:
    """The entries with an even index of the last axis, then the others."""
    return np.concatenate((array[..., ::2], array[..., 1::2]), -1)


def neighbours_exchanged(array: np.ndarray) -> np.ndarray:
    """The two numbers of each pair of the last axis, exchanged."""
    return np.flip(array.reshape(*array.shape[:-1], -1, 2), -1).reshape(array.shape)


def pairs_reversed(array: np.ndarray) -> np.ndarray:
    """The pairs of the last axis, the last first."""
    return np.flip(array.reshape(*array.shape[:-1], -1, 2), -2).reshape(array.shape)


REGROUPED: tuple[tuple[Callable[[np.ndarray], np.ndarray], str, str, str], ...] = (
    (in_halves, "layout", "all entries with an even index come first, then the others",
     "先是所有偶数下标的项，再是其余各项"),
    (interleaved, "layout", "the two halves of the last axis alternate", "最后一个轴的前后两半交替排列"),
    (neighbours_exchanged, "order", "the two numbers of each pair are exchanged", "每一对的两个数互换了"),
    (pairs_reversed, "order", "the pairs come in the opposite order", "各对的次序颠倒了"),
)  # fmt: skip


def regrouped(pairs: Pairs) -> Iterator[Diagnosis]:
    """The right numbers, but the last axis is divided into pairs or halves in another way."""
    if not any(r.ndim and r.shape[-1] > 2 for _, r in pairs):
        return
    for regroup, kind, en, zh in REGROUPED:
        if fits(pairs, regroup):
            yield said("regrouped", kind, f"The numbers are right, but {en}.", f"数值正确，但{zh}。")


def hidden(pairs: Pairs) -> Iterator[Diagnosis]:
    """Entries on one side of the diagonal, or on it, that are 0 where the right ones are not; and wrong masks.

    Args:
        pairs: returned and right.
    """
    if any(g.shape != r.shape or r.ndim < 2 for g, r in pairs) or all(np.isin(r, (0, 1)).all() for _, r in pairs):
        return
    square = [(g, r) for g, r in pairs if r.shape[-1] == r.shape[-2] > 1]
    for pick, en, zh in (
        (np.eye, "on the diagonal: no position sees itself", "对角线上都是 0：每个位置都看不到自己"),
        (lambda n: np.triu(np.ones((n, n)), 1), "after the diagonal: later positions are hidden",
         "对角线之后都是 0：后面的位置被遮住了"),
        (lambda n: np.tril(np.ones((n, n)), -1), "before the diagonal: earlier positions are hidden",
         "对角线之前都是 0：前面的位置被遮住了"),
    ):  # fmt: skip
        if square and all(
            (abs(g[..., where]) < TINY).all() and (abs(r[..., where]) > TINY).all() and (g[..., ~where] != 0).all()
            for g, r in square
            for where in (pick(r.shape[-1]).astype(bool),)
        ):
            yield said(
                "hidden", "mask", f"The result is 0 {en}. In the formula it is not.", f"结果在{zh}，而按公式不应如此。"
            )


def masks(evidence: Evidence) -> Iterator[Diagnosis]:
    """What a wrong mask shows or hides, beside the right one: places after the last or before the first that is right.

    Args:
        evidence: all calls.
    """
    if any(a.dtype != bool or a.ndim != 2 for trial in evidence.trials for a in trial.expected):
        return
    pairs = [(g.astype(bool), r.astype(bool)) for g, r in evidence.pairs if g.shape == r.shape]
    if not pairs or len(pairs) < len(evidence.pairs):
        return
    later = [np.cumsum(r[:, ::-1], 1)[:, ::-1] == 0 for _, r in pairs]
    future = any((g & late).any() for (g, _), late in zip(pairs, later, strict=True))
    past = any((~g & r).any() for g, r in pairs)
    if not future and not past:
        return
    shows = "it is True for later positions, so that a query sees the future" if future else ""
    hides = "it is False for positions that the query may see" if past else ""
    zh_shows = "它在后面的位置为 True，查询因此看到了未来" if future else ""
    zh_hides = "它在查询可以看到的位置为 False" if past else ""
    en, zh = "; ".join(filter(None, (shows, hides))), "；".join(filter(None, (zh_shows, zh_hides)))
    yield said("mask", "mask", f"The mask is different: {en}.", f"掩码不同：{zh}。")


def same_number_where_wrong(pairs: Pairs) -> Iterator[Diagnosis]:
    """Wrong entries that are all off by one number, beside others that are right.

    Args:
        pairs: returned and right.
    """
    if any(g.shape != r.shape for g, r in pairs):
        return
    wrong = [differing(g, r) for g, r in pairs]
    offsets = np.concatenate([(g - r)[w] for (g, r), w in zip(pairs, wrong, strict=True)] or [np.zeros(0)])
    if len(offsets) > 3 and not all(w.all() for w in wrong) and np.ptp(offsets) < 1e-4 and np.isfinite(offsets).all():
        yield said(
            "same-number",
            "constant",
            f"Every wrong value is {abs(offsets[0]):.4g} too {'large' if offsets[0] > 0 else 'small'}.",
            f"每个错误的值都{'大' if offsets[0] > 0 else '小'}了 {abs(offsets[0]):.4g}。",
        )
