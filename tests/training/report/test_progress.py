import re

from minigpt.training.report.progress import Progress

ROW = {"step": 249, "loss": 1.5, "tokens_per_second": 1000.0}


def test_an_evaluation_is_one_line_and_other_steps_are_none(capsys):
    with Progress(0, 2000, enabled=True) as shown:
        shown.show({**ROW, "step": 248})
        shown.show({**ROW, "validation_loss": 1.625})
    printed = capsys.readouterr()
    assert re.fullmatch(r"step  250 of 2000: loss 1\.500, validation 1\.625, \d\d:\d\d left\n", printed.out)
    assert printed.err == ""  # no terminal here, so no bar


def test_nothing_is_shown_where_it_is_not_enabled(capsys):
    with Progress(0, 2000, enabled=False) as shown:
        shown.show({**ROW, "validation_loss": 1.625})
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar(capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress(0, 2000, enabled=True) as shown:
        shown.show(ROW)
    assert "1/2000" in capsys.readouterr().err


def test_the_time_left_is_that_of_the_steps_so_far(capsys):
    shown = Progress(100, 400, enabled=True)
    shown.started -= 30  # seconds, for the 150 steps since then
    shown.show({**ROW, "validation_loss": 1.625})
    assert capsys.readouterr().out.endswith("validation 1.625, 00:30 left\n")
    shown.show({**ROW, "step": 399, "validation_loss": 1.625})
    assert capsys.readouterr().out == "step 400 of 400: loss 1.500, validation 1.625\n"
