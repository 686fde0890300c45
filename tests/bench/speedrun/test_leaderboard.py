"""minigpt/bench/speedrun/leaderboard.py: what becomes an entry, and that a file is never half written."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from speedrun_figures import YARDSTICK, made_up

from minigpt.bench.speedrun import leaderboard, read_leaderboard, record

DAY = date(2025, 1, 31)


def test_an_entry_has_the_machine_the_version_the_figures_and_the_day(tmp_path):
    path = tmp_path / "board.json"
    (entry,) = record(made_up(), path, day=DAY)
    assert json.loads(path.read_text(encoding="utf-8")) == {"format": 1, "entries": [entry]}
    assert (entry["date"], entry["track"], entry["seeds"]) == ("2025-01-31", "1.88", 2)
    assert (entry["seconds"], entry["loss"], entry["loss_spread"]) == (11.0, 1.86, 0.01414)
    assert entry["machine"]["cpu"] == "Some CPU" and entry["machine"]["minigpt"] == "0.1.0"
    assert (entry["precisions"], entry["compiled"]) == (["fp32", "bf16"], [False, True])
    assert (entry["yardstick_seconds"], entry["yardstick_reached"]) == (85.5, True)


def test_another_entry_comes_after_those_that_are_there(tmp_path):
    path = tmp_path / "board.json"
    first, second = record(made_up(), path, day=DAY) + record(made_up((1.7,)), path, day=DAY)
    assert read_leaderboard(path) == [first, second] and second["loss_spread"] is None


@pytest.mark.parametrize(
    ("yardsticks", "seconds"),
    [((YARDSTICK._replace(curve=()),), 90.0), ((YARDSTICK._replace(curve=(), steps=200),), None), ((), None)],
)
def test_a_yardstick_that_never_reached_its_target_counts_whole_and_one_that_was_stopped_not_at_all(
    tmp_path, yardsticks, seconds
):
    (entry,) = record(made_up(yardsticks=yardsticks), tmp_path / "board.json", day=DAY)
    assert (entry["yardstick_seconds"], entry["yardstick_reached"]) == (seconds, False)


def test_a_track_above_its_target_and_another_text_are_refused(tmp_path):
    path = tmp_path / "board.json"
    with pytest.raises(ValueError, match="no track reached its target"):
        record(made_up((1.9,)), path)
    (tmp_path / "my.txt").write_text("abc", encoding="utf-8")
    with pytest.raises(ValueError, match="another text"):
        record(made_up(text=tmp_path / "my.txt"), path)
    assert not path.exists()


def test_what_others_add_meanwhile_is_kept(tmp_path, monkeypatch):
    """Between the reading and the writing of one thread, the others have time to write."""
    path, read = tmp_path / "board.json", leaderboard.read_leaderboard

    def read_slowly(file):
        entries = read(file)
        time.sleep(0.02)
        return entries

    monkeypatch.setattr(leaderboard, "read_leaderboard", read_slowly)
    with ThreadPoolExecutor(6) as pool:
        days = [date(2025, 1, 1 + i) for i in range(12)]
        list(pool.map(lambda day: record(made_up(), path, day=day), days))
    assert sorted(entry["date"] for entry in read(path)) == [day.isoformat() for day in days]
    assert [file.name for file in tmp_path.iterdir()] == ["board.json"]


@pytest.mark.parametrize(
    "text",
    [
        *['{"format": 2, "entries": []}', '{"format": 1}', "[]", "", '{"name": "mine"}'],
        *['{"format": true, "entries": []}', '{"format": 1, "entries": [{}, 1]}'],
    ],
)
def test_another_file_is_refused_and_stays_as_it_is(tmp_path, text):
    path = tmp_path / "board.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"board\.json"):
        record(made_up(), path)
    assert path.read_text(encoding="utf-8") == text


def test_a_disk_that_fills_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "board.json"
    record(made_up(), path, day=DAY)
    before = path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minigpt.files.atomic.os.fsync", full)
    with pytest.raises(OSError, match="the disk is full"):
        record(made_up(), path, day=DAY)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_where_there_is_no_file_there_are_no_entries(tmp_path):
    assert leaderboard.read_leaderboard(tmp_path / "none.json") == []
