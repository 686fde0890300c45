"""Sphinx extension: the directive ``speedrun-table`` shows the leaderboard, of each track the fastest first.

Its argument is the JSON file beside the page, to which ``minigpt speedrun --record`` adds entries.
"""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt.bench.speedrun import TRACKS, read_leaderboard

TITLES = {
    "en": ("track", "seconds", "nanoGPT's command", "loss", "seeds", "computed in", "machine", "versions", "date"),
    "zh_CN": ("赛道", "秒", "nanoGPT 的命令", "损失", "种子数", "计算方式", "机器", "版本", "日期"),
}
EMPTY = {"en": "No speedrun is recorded yet.", "zh_CN": "还没有记录。"}
COMPILED = {"en": "compiled", "zh_CN": "编译"}
MACHINE = {"en": "{cpu}, cores: {cores}, threads: {threads}", "zh_CN": "{cpu}，{cores} 核，{threads} 线程"}


class SpeedrunTable(SphinxDirective):
    """The figures have no language; titles are in that of the site."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The table, or that there is no entry."""
        file = Path(self.env.doc2path(self.env.docname)).parent / self.arguments[0]
        self.env.note_dependency(str(file))
        language = self.config.language if self.config.language in TITLES else "en"
        rows = table_rows(read_leaderboard(file), language)
        if not rows:
            return [_paragraph(EMPTY[language])]
        return [table_of(TITLES[language], rows)]


def table_rows(entries: list[dict[str, Any]], language: str = "en") -> list[tuple[str, ...]]:
    """A row of texts for each entry, track by track, the fastest first."""
    order = list(TRACKS)
    known = [entry for entry in entries if entry["track"] in order]
    return [_row(entry, language) for entry in sorted(known, key=lambda e: (order.index(e["track"]), e["seconds"]))]


def _row(entry: dict[str, Any], language: str) -> tuple[str, ...]:
    machine = entry["machine"]
    return (
        entry["track"],
        _with_spread(entry, "seconds", 1),
        _yardstick(entry),
        _with_spread(entry, "loss", 4),
        str(entry["seeds"]),
        _ways(entry, language),
        MACHINE[language].format(**machine),
        f"minigpt {machine['minigpt']}, torch {machine['torch']}",
        entry["date"],
    )


def _ways(entry: dict[str, Any], language: str) -> str:
    """How its runs were computed; early entries do not say."""
    ways = zip(entry.get("precisions", ()), entry.get("compiled", ()), strict=True)
    shown = (f"{way}, {COMPILED[language]}" if compiled else way for way, compiled in ways)
    return "; ".join(dict.fromkeys(shown)) or "–"


def _yardstick(entry: dict[str, Any]) -> str:
    """Its seconds up to 1.88 in the same run; with a sign, all its seconds, where it was never there."""
    if entry.get("yardstick_seconds") is None:
        return "–"
    return f"{'' if entry['yardstick_reached'] else '> '}{entry['yardstick_seconds']:.1f}"


def _with_spread(entry: dict[str, Any], name: str, digits: int) -> str:
    spread = entry[f"{name}_spread"]
    return f"{entry[name]:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def table_of(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> nodes.table:
    """A table."""
    group = nodes.tgroup("", cols=len(titles))
    group += [nodes.colspec(colwidth=1) for _ in titles]
    group += nodes.thead("", _table_row(titles))
    group += nodes.tbody("", *map(_table_row, rows))
    return nodes.table("", group, classes=["speedrun"])


def _table_row(texts: tuple[str, ...]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", _paragraph(text)) for text in texts))


def _paragraph(text: str) -> nodes.paragraph:
    """A text of this file, which no translator is asked for."""
    return nodes.paragraph("", text, translatable=False)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("speedrun-table", SpeedrunTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
