import shutil

import pytest
from tiny_runs import no_plot

from minigpt.cli import main
from minigpt.training import History


@pytest.fixture
def finished(tiny_run, tmp_path, monkeypatch):
    """A copy of a finished run of two steps."""
    monkeypatch.setattr(History, "plot", no_plot)
    return shutil.copytree(tiny_run("names").out, tmp_path / "run")


@pytest.mark.parametrize(
    ("log", "missing"),
    [
        (None, 2),
        ("", 2),
        ('{"step": 0, "loss": 3.0}\n', 1),
        ('{"step": 0, "loss": 3.0}\n{"step": 0, "loss": 3.0}\n', 1),
        ('{"step": 0, "loss": null}\n{"step": 1, "lo', 2),
    ],
)
def test_a_finished_run_whose_log_lacks_rows_is_finished_and_says_what_is_missing(finished, capsys, log, missing):
    (finished / "log.jsonl").unlink()
    if log is not None:
        (finished / "log.jsonl").write_text(log)
    main(["train", "--resume", "--out", str(finished)])
    printed = capsys.readouterr().out
    assert "stopped" not in printed
    assert f"log.jsonl; {missing} of 2 steps {'is' if missing == 1 else 'are'} missing there" in printed


def test_a_finished_run_with_its_log_says_nothing_is_missing(finished, capsys):
    main(["train", "--resume", "--out", str(finished)])
    printed = capsys.readouterr().out
    assert "missing" not in printed and "stopped" not in printed
