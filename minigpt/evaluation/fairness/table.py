"""The printed table of gaps, in the language of the locale."""

from typing import Protocol

from minigpt.evaluation.fairness.statistics import Interval
from minigpt.settings.language import Bilingual, columns_of, padded

FEW_ITEMS = 10  # with fewer items the interval is too narrow
GAP = Bilingual("gap in nats", "差距（奈特）")
HEADS = (
    (Bilingual("items", "项数"), 5, "left"),
    (Bilingual("mean", "均值"), 7, "left"),
    (Bilingual("95 % interval", "95 % 区间"), 18, "both"),
    (Bilingual("mean size", "平均大小"), 9, "left"),
    (Bilingual("p", "p"), 9, "left"),
    (Bilingual("p, Holm", "p，Holm"), 9, "left"),
)
SIGN = Bilingual(
    "above 0: the continuation is likelier after A; resampled: items, not tokens",
    "大于 0：A 之后的续写概率更高；重采样的单位是项，不是词元",
)
FEW = Bilingual("fewer than {n} items, so the interval is too narrow: {groups}", "不足 {n} 项，因此区间偏窄：{groups}")
SKIPPED = Bilingual(
    "skipped: {skipped:,} of {all:,} pairs, longer than the model's context",
    "已跳过：{all:,} 对中有 {skipped:,} 对超过模型的上下文长度",
)


class Gaps(Protocol):
    """What is printed of a report."""

    intervals: dict[str, Interval]
    corrected: dict[str, float]
    n_pairs: int
    n_skipped: int

    def mean_size(self, group: str) -> float:
        """The mean of the gaps without their signs."""


def gap_table(report: Gaps) -> str:
    """A line for each group, and below them what the numbers mean.

    Args:
        report: the gaps.
    """
    width = max(map(columns_of, [*report.intervals, GAP.spoken()]))
    heads = "".join("  " + padded(words.spoken(), columns, side) for words, columns, side in HEADS)
    lines = [padded(GAP.spoken(), width) + heads]
    for group, row in report.intervals.items():
        bounds = f"[{row.low:+.3f}, {row.high:+.3f}]"
        figures = (f"{report.mean_size(group):.3f}", f"{row.p:.4f}", f"{report.corrected[group]:.4f}")
        lines.append(
            f"{padded(group, width)}  {row.n:5}  {row.mean:+7.3f}  {bounds:^18}"
            + "".join(f"  {figure:>9}" for figure in figures)
        )
    lines.append(SIGN.spoken())
    if few := [group for group, row in report.intervals.items() if row.n < FEW_ITEMS]:
        lines.append(FEW.spoken().format(n=FEW_ITEMS, groups=", ".join(few)))
    if report.n_skipped:
        lines.append(SKIPPED.spoken().format(skipped=report.n_skipped, all=report.n_pairs))
    return "\n".join(lines)
