import re

import pytest

from minigpt.training.report.progress import Progress

ROW = {"step": 249, "loss": 1.5, "tokens_per_second": 1000.0}


@pytest.fixture
def clock(monkeypatch):
    """A function that lets some seconds pass; none pass otherwise."""
    now = [0.0]
    monkeypatch.setattr("minigpt.training.report.progress.time.monotonic", lambda: now[0])

    def wait(seconds):
        now[0] += seconds

    return wait


def test_an_evaluation_is_one_line_and_of_other_steps_the_first_is(capsys):
    with Progress(0, 2000, enabled=True) as shown:
        shown.show({**ROW, "step": 0})
        shown.show({**ROW, "step": 248})
        shown.show({**ROW, "validation_loss": 1.625})
    printed = capsys.readouterr()
    first, second = printed.out.splitlines()
    assert re.fullmatch(r"step    1 of 2000: loss 1\.500, \d\d:\d\d left", first)
    assert re.fullmatch(r"step  250 of 2000: loss 1\.500, validation 1\.625, \d\d:\d\d left", second)
    assert printed.err == ""  # no terminal here, so no bar


def test_without_a_bar_ten_seconds_without_a_line_are_followed_by_one(capsys, clock):
    with Progress(0, 9, enabled=True) as shown:
        for step, seconds in enumerate((0.0, 9.0, 1.0, 9.5, 0.5, 3.0)):
            clock(seconds)
            shown.show({**ROW, "step": step, **({"validation_loss": 1.625} if step == 3 else {})})
        clock(9.9)
        shown.show({**ROW, "step": 6})
    assert re.findall(r"step (\d) of", capsys.readouterr().out) == ["1", "3", "4", "7"]


def test_nothing_is_shown_where_it_is_not_enabled(capsys):
    with Progress(0, 2000, enabled=False) as shown:
        shown.show({**ROW, "validation_loss": 1.625})
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(0, 2000, enabled=True) as shown:
        shown.show(ROW)
    printed = capsys.readouterr()
    assert "1/2000" in printed.err and printed.out == ""


def test_the_time_left_is_that_of_the_steps_so_far(capsys):
    shown = Progress(100, 400, enabled=True)
    shown.started -= 30  # seconds, for the 150 steps since then
    shown.show({**ROW, "validation_loss": 1.625})
    assert capsys.readouterr().out.endswith("validation 1.625, 00:30 left\n")
    shown.show({**ROW, "step": 399, "validation_loss": 1.625})
    assert capsys.readouterr().out == "step 400 of 400: loss 1.500, validation 1.625\n"
