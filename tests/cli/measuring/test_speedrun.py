"""minigpt/cli/measuring/speedrun.py: what it asks of the benchmark, and what it prints."""

import importlib.util
import json
from pathlib import Path

import pytest

from minigpt import bench, cli
from minigpt.cli.output import as_json

SPEC = importlib.util.spec_from_file_location(
    "speedrun_figures", Path(__file__).parents[2] / "bench" / "speedrun" / "speedrun_figures.py"
)
FIGURES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(FIGURES)


@pytest.fixture
def asked(monkeypatch):
    calls = []

    def measure(tracks, **options):
        calls.append(([track.name for track in tracks], options))
        return FIGURES.made_up(n_missing=options["seeds"] - 1)

    monkeypatch.setattr(bench, "measure_speedrun", measure)
    return calls


def test_quick_is_the_shortest_track_one_seed_and_a_short_yardstick(asked, tmp_path):
    cli.main(["speedrun", "--quick", "--out", str(tmp_path)])
    ((names, options),) = asked
    assert names == ["1.88"] and (options["seeds"], options["yardstick_steps"]) == (1, 200)


def test_by_default_all_tracks_run_beside_the_whole_yardstick(asked, tmp_path):
    cli.main(["speedrun", "--out", str(tmp_path)])
    ((names, options),) = asked
    assert names == ["1.88", "1.60", "1.4697", "1.44"] and options["yardstick_steps"] == 2000


def test_json_is_the_report_and_nothing_else(asked, capsys):
    cli.main(["speedrun", "--json", "--no-yardstick", "--tracks", "1.60", "1.88"])
    assert json.loads(capsys.readouterr().out) == json.loads(as_json(FIGURES.made_up().to_json()))
    assert asked[0][0] == ["1.60", "1.88"] and asked[0][1]["yardstick_steps"] == 0


def test_the_table_is_printed_drawn_and_recorded(asked, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    board = tmp_path / "board.json"
    cli.main(["speedrun", "--quick", "--record", str(board), "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert str(FIGURES.made_up()) in out and f"recorded: 1 track in {board}" in out
    assert (tmp_path / "speedrun.png").is_file() and len(json.loads(board.read_text())["entries"]) == 1


def test_another_track_is_refused(asked, capsys):
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--tracks", "1.5"])
    assert "1.4697" in capsys.readouterr().err and asked == []


@pytest.mark.parametrize("words", [["--tracks", "1.60"], ["--seeds", "2"]])
def test_quick_beside_other_tracks_or_seeds_is_refused(words, asked, capsys):
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--quick", *words])
    assert "--quick is track 1.88 with one seed" in capsys.readouterr().err and asked == []


def test_a_file_that_is_no_leaderboard_is_refused_before_anything_is_trained(asked, tmp_path, capsys):
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--record", str(tmp_path / "other.json")])
    assert "is not a leaderboard" in capsys.readouterr().err and asked == []


def test_another_text_is_not_recorded_and_that_is_said_before_anything_is_trained(asked, tmp_path, capsys):
    (tmp_path / "my.txt").write_text("abc", encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--text", str(tmp_path / "my.txt"), "--record", str(tmp_path / "board.json")])
    assert "another text" in capsys.readouterr().err and asked == []


def test_after_an_interrupt_what_is_done_is_printed_and_the_status_is_130(asked, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        cli.main(["speedrun", "--seeds", "2", "--out", str(tmp_path)])
    assert ended.value.code == 130 and "stopped: 1 more runs" in capsys.readouterr().out


def test_a_record_that_can_t_be_written_is_refused_before_anything_is_trained(asked, tmp_path, capsys):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--record", str(tmp_path / "file" / "board.json")])
    assert "file is a file, expected a folder" in capsys.readouterr().err and asked == []


def test_an_interrupt_before_a_target_is_an_interrupt_with_a_record_too(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "measure_speedrun", lambda *_, **__: FIGURES.made_up((1.9,), n_missing=1))
    with pytest.raises(SystemExit) as ended:
        cli.main(["speedrun", "--seeds", "2", "--out", str(tmp_path), "--record", str(tmp_path / "board.json")])
    assert ended.value.code == 130 and not (tmp_path / "board.json").exists()


def test_a_folder_in_the_place_of_the_text_is_named(asked, capsys):
    with pytest.raises(SystemExit):
        cli.main(["speedrun", "--quick", "--text", ".", "--record", "board.json"])
    assert ". is not a plain file" in capsys.readouterr().err


def test_in_chinese_what_is_said_around_the_table_is_chinese(asked, in_chinese, capsys, tmp_path):
    board = tmp_path / "board.json"
    cli.main(["speedrun", "--quick", "--record", str(board), "--out", str(tmp_path)])
    *_, picture, recorded = capsys.readouterr().out.splitlines()
    assert picture.startswith("图片：") and recorded == f"已记录：1 条赛道，写入 {board}"
