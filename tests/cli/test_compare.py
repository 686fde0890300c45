import errno
import json
import os
from importlib import import_module
from types import SimpleNamespace

import pytest

import minigpt as mg
from minigpt.cli import main, output
from minigpt.runs import Comparison, Trial


@pytest.fixture(autouse=True)
def compared(monkeypatch):
    """A comparison that took no time, and a picture that is drawn in none."""
    figures = Comparison(trials={"seed=0": [Trial(loss=1.0, curve=((1, 1.0),))]}, n_tokens=1)
    monkeypatch.setattr(mg, "compare", lambda *_, **__: figures)
    picture = SimpleNamespace(savefig=lambda file, format: file.write(b"a picture"))
    monkeypatch.setattr(Comparison, "plot", lambda self: picture)


def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_on_a_full_disk_the_figures_are_printed_and_nothing_half_written_is_left(tmp_path, capsys, monkeypatch, form):
    monkeypatch.setattr(import_module("minigpt.cli.compare"), "write_atomically", full)
    with pytest.raises(SystemExit) as caught:
        main(["compare", "optimizer=adamw", "--out", str(tmp_path), *form])
    printed = capsys.readouterr()
    if form:
        assert json.loads(printed.out)["n_tokens"] == 1
    else:
        assert "seed=0" in printed.out and "nats per token" in printed.out
    assert caught.value.code == 2 and list(tmp_path.iterdir()) == []
    expected = f"{tmp_path / 'compare.json'} was not written (the disk is full); the figures are those printed above"
    assert printed.err == f"minigpt: {expected}\n"


def test_without_room_for_the_picture_the_table_and_the_figures_are_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(output, "write_atomically", full)
    with pytest.warns(UserWarning, match=r"compare\.png was not written \(the disk is full\); the figures are kept"):
        main(["compare", "optimizer=adamw", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "seed=0" in printed and "picture: not written: the disk is full" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["compare.json"]


def test_a_file_in_the_place_of_the_folder_is_refused_before_anything_is_trained(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mg, "compare", lambda *_, **__: pytest.fail("it was trained"))
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(SystemExit):
        main(["compare", "optimizer=adamw", "--out", str(tmp_path / "mine")])
    assert "mine is a file, expected a folder; move or delete it and try again" in capsys.readouterr().err


def test_a_comparison_that_was_stopped_is_kept_and_ends_as_at_ctrl_c(tmp_path, capsys, monkeypatch):
    trials = {"seed=0": [Trial(loss=1.0, curve=((1, 1.0),))]}
    monkeypatch.setattr(mg, "compare", lambda *_, **__: Comparison(trials=trials, n_tokens=1, n_missing=2))
    with pytest.raises(SystemExit) as caught:
        main(["compare", "optimizer=adamw", "--out", str(tmp_path)])
    assert caught.value.code == 130
    assert "stopped: 1 of 3 runs are whole" in capsys.readouterr().out
    assert json.loads((tmp_path / "compare.json").read_text())["n_missing"] == 2
