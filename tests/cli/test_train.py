import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from tiny_runs import no_plot

from minigpt.cli import main, output
from minigpt.training import History


def picture():
    """What matplotlib would draw, without its time."""
    return SimpleNamespace(savefig=lambda file, format: file.write(b"a picture"))


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


def full(path, data):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_on_a_full_disk_only_the_curve_is_missing_and_the_run_says_that_it_is_complete(finished, capsys, monkeypatch):
    monkeypatch.setattr(History, "plot", lambda *_, **__: picture())
    monkeypatch.setattr(output, "write_atomically", full)
    with pytest.warns(
        UserWarning, match=r"run/loss\.png was not written \(the disk is full\); the run is complete and"
    ):
        main(["train", "--resume", "--out", str(finished)])
    printed = capsys.readouterr().out
    assert "curve:      not written: the disk is full\n" in printed
    assert "checkpoint: " in printed and "next:       " in printed


def test_an_earlier_curve_stays_where_the_log_has_no_row_to_draw(finished, monkeypatch, capsys):
    monkeypatch.setattr(History, "plot", lambda *_, **__: picture())
    (finished / "log.jsonl").unlink()
    (finished / "loss.png").write_bytes(b"an earlier curve")
    main(["train", "--resume", "--out", str(finished)])
    assert (finished / "loss.png").read_bytes() == b"an earlier curve"
    assert "curve:" not in capsys.readouterr().out


def test_a_finished_run_with_its_log_says_nothing_is_missing(finished, capsys):
    main(["train", "--resume", "--out", str(finished)])
    printed = capsys.readouterr().out
    assert "missing" not in printed and "stopped" not in printed


def described(folder, monkeypatch, capsys, *words):
    """What is printed before the first step."""
    (folder / "short.txt").write_text("a fox jumps over a lazy dog. " * 20)
    monkeypatch.setattr("minigpt.runs.Run.train", lambda self, folder: None)
    monkeypatch.setattr("minigpt.cli.train._finish", lambda run: None)
    main(["train", "--text", str(folder / "short.txt"), "--out", str(folder / "run"), *words])
    return capsys.readouterr().out


def test_a_text_of_far_fewer_tokens_than_parameters_is_said_with_what_helps(tmp_path, monkeypatch, capsys):
    shape = ["--d-model", "32", "--n-layers", "1", "--n-heads", "2", "--context-length", "16", "--batch-size", "8"]
    told = " ".join(described(tmp_path, monkeypatch, capsys, *shape, "--steps", "200").split())
    assert "note: 27 parameters a token, each token read 49 times: the model will overfit; a longer text" in told
    assert "note:" not in described(tmp_path, monkeypatch, capsys, *shape, "--steps", "20")  # 4.9 epochs
    narrow = ["--d-model", "8", *shape[2:]]
    assert "note:" not in described(tmp_path, monkeypatch, capsys, *narrow, "--steps", "200")  # 3 parameters a token


def test_what_is_printed_before_the_first_step_fits_a_terminal(tmp_path, monkeypatch, capsys):
    lines = described(tmp_path, monkeypatch, capsys, "--context-length", "16").splitlines()
    assert max(map(len, lines)) <= 80 and [line[:6] for line in lines if line[0] != " "][-1] == "goal: "
