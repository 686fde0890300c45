"""What the `minigpt` command says when something befalls a run: one line, which tells how to go on."""

import json
import os
import pickle
import shutil
import signal
import warnings

import pytest
from mutated_files import Bomb, forge_manifest

from minigpt.cli import _plain_warnings, main
from minigpt.training.storage.folders import checkpoint_folders

TEXT = "the cat sat on the mat, and the dog sat on the log.\n" * 40


def training(folder, steps):
    """The words of a command that trains below ``folder``."""
    (folder / "text.txt").write_text(TEXT)
    words = ["train", "--text", str(folder / "text.txt"), "--out", str(folder / "run"), "--steps", str(steps)]
    return [*words, "--context-length", "8", "--batch-size", "2", "--checkpoint-every", "2", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    main(training(folder, 4))
    return folder / "run"


@pytest.fixture
def run(trained, tmp_path):
    """A run folder with two checkpoints, of its own for each test."""
    return shutil.copytree(trained, tmp_path / "run")


def refused(words, capsys):
    """The one line that the command says on stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        main(words)
    said = capsys.readouterr().err.rstrip("\n")
    assert caught.value.code == 2
    assert said.startswith("minigpt: ") and "\n" not in said
    return said


COMMANDS = pytest.mark.parametrize(
    "command", [["train", "--resume", "--out"], ["sample"], ["eval"]], ids=["train", "sample", "eval"]
)


@COMMANDS
@pytest.mark.parametrize("file", ["MANIFEST.json", "state.json", "model.safetensors", "optimizer.safetensors"])
def test_a_run_without_a_whole_checkpoint_is_refused(run, capsys, command, file):
    for folder in checkpoint_folders(run / "checkpoints"):
        (folder / file).write_bytes((folder / file).read_bytes()[:-5])
    with pytest.warns(UserWarning, match="is damaged and passed over"):
        said = refused([*command, str(run)], capsys)
    assert "no usable checkpoint in" in said and "found 2 damaged one(s)" in said


@COMMANDS
def test_the_older_checkpoint_is_taken_and_named_where_the_newest_is_damaged(run, capsys, command):
    (run / "checkpoints" / "step-00000004" / "state.json").write_text("{")
    with pytest.warns(UserWarning, match="step-00000004 is damaged and passed over: state.json has 1 bytes"):
        main([*command, str(run)])
    printed = capsys.readouterr().out
    assert ("continuing from step-00000002: 2 of 4 steps are done" in printed) == (command[0] == "train")


def test_a_warning_is_one_line_without_the_place_in_the_code():
    with _plain_warnings():
        assert warnings.formatwarning(UserWarning("damaged"), UserWarning, "loop.py", 7) == "minigpt: damaged\n"
        assert "loop.py:7" in warnings.formatwarning(RuntimeWarning("odd"), RuntimeWarning, "loop.py", 7)
    assert "loop.py:7" in warnings.formatwarning(UserWarning("damaged"), UserWarning, "loop.py", 7)


@COMMANDS
def test_a_checkpoint_that_would_run_something_is_refused_and_does_not(run, capsys, tmp_path, command):
    for folder in checkpoint_folders(run / "checkpoints"):
        (folder / "model.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "executed")))
        forge_manifest(folder, "model.safetensors")
    with pytest.warns(UserWarning, match=r"model\.safetensors can't be read"):
        assert "no usable checkpoint" in refused([*command, str(run)], capsys)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 10**6, b'{"format": "minigpt.tokenizer"}', b"\x80\x04", b"\xff"])
def test_a_tokenizer_file_that_can_not_be_used_is_refused(capsys, tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    words = [*training(tmp_path, 4), "--tokenizer", str(tmp_path / "tokenizer.json")]
    assert "is not a usable tokenizer" in refused(words, capsys)


def test_a_run_file_that_can_not_be_used_is_refused(run, capsys):
    (run / "run.json").write_bytes(b"[" * 10**6)
    assert "run.json is not JSON" in refused(["train", "--resume", "--out", str(run)], capsys)


def test_resuming_with_other_settings_names_each(run, capsys):
    said = refused(["train", "--resume", "--out", str(run), "--batch-size", "4", "--seed", "3"], capsys)
    assert "batch_size was 2, now 4; seed was 0, now 3" in said


def test_resuming_on_another_text_is_refused(run, capsys):
    (run.parent / "other.txt").write_text(TEXT.replace("cat", "tac"))
    settings = json.loads((run / "run.json").read_text())
    settings["source"]["text"] = str(run.parent / "other.txt")
    (run / "run.json").write_text(json.dumps(settings))
    assert "text.txt is missing since the run in" in refused(["train", "--resume", "--out", str(run)], capsys)


def test_resuming_on_a_text_that_has_changed_names_it_and_prints_no_plan(trained, run, capsys):
    text = trained.parent / "text.txt"
    text.write_text(TEXT.replace("cat", "tac"))
    with pytest.raises(SystemExit):
        main(["train", "--resume", "--out", str(run)])
    text.write_text(TEXT)
    printed = capsys.readouterr()
    assert f"{text} has changed since the run in {run} was started; put back what was there, or start" in printed.err
    assert printed.out == ""


@pytest.mark.parametrize("background", [[], ["--background-saves"]])
def test_ctrl_c_in_a_save_ends_with_that_checkpoint_and_the_way_to_go_on(capsys, monkeypatch, tmp_path, background):
    flush = os.fsync

    def interrupted(handle):
        if list(tmp_path.glob("run/checkpoints/*.tmp")):
            monkeypatch.setattr(os, "fsync", flush)
            os.kill(os.getpid(), signal.SIGINT)
        flush(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(SystemExit) as ended:
        main([*training(tmp_path, 12), *background])
    assert ended.value.code == 130
    steps = len((tmp_path / "run" / "log.jsonl").read_text().splitlines())
    assert steps == 2 or (background and steps < 12)
    assert f"stopped after step {steps} of 12; continue with: minigpt train --resume --out" in capsys.readouterr().out
    main(["train", "--resume", "--out", str(tmp_path / "run")])
    assert f"continuing from step-{steps:08d}: {steps} of 12 steps are done" in capsys.readouterr().out
