"""The printed table of gaps, in the language of the locale."""

from collections.abc import Mapping

from minigpt.evaluation.fairness.statistics import Interval
from minigpt.settings.language import Bilingual, columns_of, filled, folded

FEW_ITEMS = 10  # with fewer items the interval is too narrow
_GAP = Bilingual("gap in nats", "差距（奈特）")
_HEADS = (
    (Bilingual("items", "项数"), 5, "left"),
    (Bilingual("mean", "均值"), 7, "left"),
    (Bilingual("95 % interval", "95 % 区间"), 18, "both"),
    (Bilingual("mean size", "平均大小"), 9, "left"),
    (Bilingual("p", "p"), 9, "left"),
    (Bilingual("p, Holm", "p，Holm"), 9, "left"),
)
_SIGN = Bilingual(
    "above 0: the continuation is likelier after A; resampled: items, not tokens",
    "大于 0：A 之后的续写概率更高；重采样的单位是项，不是词元",
)
_FEW = Bilingual("fewer than {n} items, so the interval is too narrow: {groups}", "不足 {n} 项，因此区间偏窄：{groups}")
_SKIPPED = Bilingual(
    "skipped: {skipped:,} of {all:,} pairs, longer than the model's context",
    "已跳过：{all:,} 对中有 {skipped:,} 对超过模型的上下文长度",
)


def gap_table(
    intervals: Mapping[str, Interval],
    sizes: Mapping[str, float],
    corrected: Mapping[str, float],
    skipped: int,
    n: int,
) -> str:
    """A line for each group, and below them what the numbers mean.

    Args:
        intervals: of each group.
        sizes: the mean of its gaps without their signs.
        corrected: its p after Holm's correction.
        skipped: pairs that were too long.
        n: pairs that were given.
    """
    width = max(map(columns_of, [*intervals, _GAP.spoken()]))
    heads = "".join("  " + filled(words.spoken(), columns, side) for words, columns, side in _HEADS)
    lines = [filled(_GAP.spoken(), width) + heads]
    for group, row in intervals.items():
        bounds = f"[{row.low:+.3f}, {row.high:+.3f}]"
        figures = (f"{sizes[group]:.3f}", f"{row.p:.4f}", f"{corrected[group]:.4f}")
        lines.append(
            f"{filled(group, width)}  {row.n:5}  {row.mean:+7.3f}  {bounds:^18}"
            + "".join(f"  {figure:>9}" for figure in figures)
        )
    lines.append(folded(_SIGN.spoken()))
    if few := [group for group, row in intervals.items() if row.n < FEW_ITEMS]:
        lines.append(folded(_FEW.spoken().format(n=FEW_ITEMS, groups=", ".join(few))))
    if skipped:
        lines.append(folded(_SKIPPED.spoken().format(skipped=skipped, all=n)))
    return "\n".join(lines)
