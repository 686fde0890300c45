"""The leaderboard on the page is that of the file, and the page says what the tracks and the protocol are."""

import importlib
import re
from pathlib import Path

import pytest

from minigpt.bench.speedrun import TRACKS, read_leaderboard

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "speedrun.md").read_text(encoding="utf-8")
BOARD = ROOT / "docs" / "explanation" / "speedrun.json"
ENTRY = {
    "date": "2025-01-31",
    "track": "1.60",
    "seconds": 12.34,
    "seconds_spread": 0.5,
    "loss": 1.59,
    "loss_spread": None,
    "seeds": 3,
    "yardstick_seconds": None,
    "yardstick_reached": False,
    "precisions": ["bf16", "bf16", "fp32"],
    "compiled": [True, True, False],
    "machine": {"cpu": "Some CPU", "cores": 2, "threads": 1, "minigpt": "0.1.0", "torch": "2.13.0"},
}


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    return importlib.import_module("speedrun_table")


def test_the_file_of_the_page_is_a_leaderboard_whose_entries_all_have_a_row(table):
    entries = read_leaderboard(BOARD)
    assert len(table.table_rows(entries)) == len(entries)
    assert f"```{{speedrun-table}} {BOARD.name}" in PAGE


def test_rows_are_in_the_order_of_the_tracks_the_fastest_first(table):
    slow, first = {**ENTRY, "seconds": 20.0}, {**ENTRY, "track": "1.88", "seconds": 99.0}
    assert [row[:2] for row in table.table_rows([slow, ENTRY, first])] == [
        ("1.88", "99.0 ± 0.5"),
        ("1.60", "12.3 ± 0.5"),
        ("1.60", "20.0 ± 0.5"),
    ]


def test_a_row_has_every_figure(table):
    (row,) = table.table_rows([{**ENTRY, "yardstick_seconds": 80.04, "loss_spread": 0.01}])
    assert row[2:] == (
        "> 80.0",
        "1.5900 ± 0.0100",
        "3",
        "bf16, compiled; fp32",
        "Some CPU, cores: 2, threads: 1",
        "minigpt 0.1.0, torch 2.13.0",
        "2025-01-31",
    )
    assert len(row) == len(table.TITLES["en"]) == len(table.TITLES["zh_CN"])


@pytest.mark.parametrize(
    ("seconds", "reached", "shown"), [(None, False, "–"), (85.5, True, "85.5"), (90, False, "> 90.0")]
)
def test_a_sign_says_that_the_yardstick_never_reached_its_target(table, seconds, reached, shown):
    (row,) = table.table_rows([{**ENTRY, "yardstick_seconds": seconds, "yardstick_reached": reached}])
    assert row[2] == shown


def test_an_early_entry_without_precisions_and_yardstick_has_a_row(table):
    later = ("precisions", "compiled", "yardstick_seconds", "yardstick_reached")
    early = {name: value for name, value in ENTRY.items() if name not in later} | {"ratio": 23.5}
    (row,) = table.table_rows([early])
    assert (row[2], row[5]) == ("–", "–") and len(row) == len(table.TITLES["en"])


def test_the_texts_of_the_table_are_not_asked_of_translators(table):
    nodes = table.table_of(table.TITLES["en"], table.table_rows([ENTRY]))
    paragraphs = [node for node in nodes.findall() if node.tagname == "paragraph"]
    assert len(paragraphs) == 18 and all(node["translatable"] is False for node in paragraphs)
    assert [node.astext() for node in paragraphs[:9]] == list(table.TITLES["en"])


def test_the_page_names_every_track_and_its_target():
    assert re.findall(r"^\| (1\.\d+) \| (1\.\d+) \|", PAGE, re.MULTILINE) == [
        (name, name) for name, track in TRACKS.items() if track.target == float(name)
    ]
