"""minigpt/bench/speedrun/report.py: means, spreads and ratios, as a table, as JSON and as a figure."""

import json
import math

import pytest
from speedrun_figures import YARDSTICK, made_up

from minigpt.bench.speedrun.tracks import TRACKS
from minigpt.settings.language import columns_of


def test_the_table_has_the_mean_and_the_spread_of_the_seeds_and_the_yardstick_over_the_mean():
    row = str(made_up()).splitlines()[4]
    n_tokens = f"{TRACKS['1.88'].n_tokens:,}"
    expected = f"1.88 {TRACKS['1.88'].steps} {n_tokens} 11.0 ± 1.4 0.5 0.2 1.8600 ± 0.0141 2 of 2 7.8 ×"
    assert row.split() == expected.split()  # 85.5 s over 11 s


def test_the_columns_stand_below_their_titles():
    head, row = str(made_up()).splitlines()[3:5]
    assert len(head) == len(row)


def test_one_seed_has_no_spread():
    assert "±" not in str(made_up((1.85,))).splitlines()[4]


@pytest.mark.parametrize(
    ("yardstick", "ratio"),
    [
        (YARDSTICK, "7.8 ×"),
        (YARDSTICK._replace(curve=YARDSTICK.curve[:1]), "> 8.2 ×"),  # 90 s and never at 1.88
        (YARDSTICK._replace(curve=YARDSTICK.curve[:1], steps=200, seconds=8.8), "≈ 8.0 ×"),
    ],
)
def test_a_sign_says_where_the_time_of_the_yardstick_is_not_that_of_its_target(yardstick, ratio):
    assert str(made_up(yardsticks=(yardstick,))).splitlines()[4].endswith(f"  {ratio}")


def test_an_estimate_is_called_one_and_names_the_steps_that_were_run():
    few = YARDSTICK._replace(curve=YARDSTICK.curve[:1], steps=200, seconds=6.39)
    line = "≈: estimated; 2,000 steps at this speed would take 63.9 s (200 were run)"
    assert line in map(str.strip, str(made_up(yardsticks=(few,))).splitlines())


def test_a_track_that_missed_its_target_is_not_compared():
    report = made_up((1.9, 1.91))
    assert report.ratio(report.tracks[0], YARDSTICK) is None
    assert str(report).splitlines()[4].endswith("0 of 2          –")


def test_another_text_gets_a_note(tmp_path):
    (tmp_path / "my.txt").write_text("abc", encoding="utf-8")
    note = str(made_up(text=tmp_path / "my.txt")).splitlines()[1]
    assert "my.txt: this is not Tiny Shakespeare, so the losses and times can't be compared" in note


def test_what_is_missing_is_said():
    assert str(made_up(n_missing=2)).splitlines()[-1] == "stopped: 2 more runs were asked for, and are not counted"


def test_json_has_every_run():
    figures = json.loads(json.dumps(made_up().to_json()))
    (track,) = figures["tracks"]
    assert [run["seconds"] for run in track["runs"]] == [10.0, 12.0]
    assert track["seconds"] == {"mean": 11.0, "spread": pytest.approx(math.sqrt(2))}
    assert track["ratios"] == {"nanoGPT's command": pytest.approx(85.5 / 11)}
    assert figures["yardsticks"][0]["reached"] == {"step": 1900, "seconds": 85.5, "loss": 1.87}
    assert figures["host"]["cpu"] == "Some CPU" and figures["text"]["comparable"]


def test_a_run_that_diverged_leaves_no_spread_and_no_ratio():
    report = made_up((1.85, math.inf))
    assert report.tracks[0].spread("loss") is None and not report.tracks[0].is_reached
    assert "inf" in str(report)


def test_the_figure_has_a_curve_for_each_run_and_a_line_for_each_target():
    pytest.importorskip("matplotlib")
    (axes,) = made_up().plot().axes
    curves = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_xdata()[0] > 0]
    assert [list(line.get_ydata()) for line in curves] == [[2.1, 1.85], [2.1, 1.87], [2.5, 1.87], [1.88, 1.88]][:3]
    assert [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [1.88]


def test_in_chinese_only_names_are_english_and_the_json_is_as_before(in_chinese, monkeypatch, tmp_path):
    (tmp_path / "my.txt").write_text("abc", encoding="utf-8")
    never = YARDSTICK._replace(curve=YARDSTICK.curve[:1])
    reports = [made_up(n_missing=2), made_up(text=tmp_path / "my.txt", yardsticks=(never,))]
    reports.append(made_up(yardsticks=(never._replace(steps=200, seconds=8.8),)))
    host = str(reports[0].host)
    for report in reports:
        told = str(report).replace(host, "").replace(str(tmp_path), "")
        assert in_chinese(told) <= {"hakespeare", "nano", "command", "auto", "float"}
        head, row = told.splitlines()[3:5]
        assert columns_of(head) == columns_of(row)
    figures = json.dumps(reports[0].to_json())
    monkeypatch.setenv("LC_ALL", "C")
    assert json.dumps(reports[0].to_json()) == figures
