import errno
import threading

import pytest
import torch

import minigpt as mg
from minigpt.training import TrainConfig, load_checkpoint, save_checkpoint
from minigpt.training.storage import saver
from minigpt.training.storage.folders import checkpoint_folders

SETTINGS = {"steps": 8, "batch_size": 4, "learning_rate": 0.01, "checkpoint_every": 1, "device": "cpu"}


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def train(make_model, data, tokenizer):
    def run(out, data=data, resume=False, **changes):
        config = TrainConfig(**{**SETTINGS, **changes})
        return mg.train(make_model(), data, config, tokenizer=tokenizer, out=out, resume=resume, progress=False)

    return run


def test_a_save_in_the_background_writes_the_bytes_of_one_in_the_loop(train, tmp_path):
    for name, background in (("loop", False), ("background", True)):
        train(tmp_path / name, background_saves=background, keep_checkpoints=8)
    loop, background = (contents(tmp_path / name / "checkpoints") for name in ("loop", "background"))
    assert loop.keys() == background.keys() and len(loop) == 8 * 4
    for path, data in background.items():
        if path.suffix == ".safetensors":
            assert data == loop[path]
        if path.name == "state.json":  # it says itself which of the two it is
            assert data.replace(b'"background_saves": true', b'"background_saves": false') == loop[path]


def test_the_loop_goes_on_while_a_save_is_under_way_and_the_next_save_waits_for_it(train, data, tmp_path, monkeypatch):
    """Step 2 holds the save of step 1 back until it has begun, so a loop that waited would never come to its end."""
    begun, under_way = threading.Event(), []

    class Watched:
        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, *arguments, **options):
            if step == 2:
                begun.set()
            return data.batch(step, *arguments, **options)

    def slow(folder, checkpoint, **options):
        assert not under_way, "two saves at once"
        under_way.append(checkpoint.step)
        if checkpoint.step == 2:
            assert begun.wait(60)
        path = save_checkpoint(folder, checkpoint, **options)
        under_way.pop()
        return path

    monkeypatch.setattr(saver, "save_checkpoint", slow)
    train(tmp_path, data=Watched(), background_saves=True, checkpoint_every=2)
    assert [path.name for path in checkpoint_folders(tmp_path / "checkpoints")] == ["step-00000006", "step-00000008"]


@pytest.mark.parametrize("failing", [2, 8])
def test_a_save_that_fails_in_the_background_is_one_error_at_a_later_step_or_at_the_end(
    train, tmp_path, monkeypatch, failing
):
    def full(folder, checkpoint, **options):
        if checkpoint.step == failing:
            raise OSError(errno.ENOSPC, "the disk is full")
        return save_checkpoint(folder, checkpoint, **options)

    monkeypatch.setattr(saver, "save_checkpoint", full)
    with pytest.raises(OSError, match="the disk is full"):
        train(tmp_path, background_saves=True)
    assert load_checkpoint(tmp_path / "checkpoints").step == failing - 1
    assert not list(tmp_path.glob("checkpoints/*.tmp"))


def test_a_run_that_breaks_still_waits_for_its_save(train, data, tmp_path):
    class Breaks:
        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, *arguments, **options):
            if step == 5:
                raise ValueError("the data broke")
            return data.batch(step, *arguments, **options)

    with pytest.raises(ValueError, match="the data broke"):
        train(tmp_path, data=Breaks(), background_saves=True)
    assert load_checkpoint(tmp_path / "checkpoints").step == 5


def test_what_broke_the_run_is_raised_and_a_save_that_failed_too_is_a_warning(train, data, tmp_path, monkeypatch):
    class Breaks:
        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, *arguments, **options):
            if step == 1:
                broken.set()
                raise ValueError("the data broke")
            return data.batch(step, *arguments, **options)

    def full(folder, checkpoint, **options):
        assert broken.wait(60)
        raise OSError(errno.ENOSPC, "the disk is full")

    broken = threading.Event()
    monkeypatch.setattr(saver, "save_checkpoint", full)
    with pytest.warns(UserWarning, match="the disk is full"), pytest.raises(ValueError, match="the data broke"):
        train(tmp_path, data=Breaks(), background_saves=True)


def test_a_run_may_go_on_with_saves_in_the_background(train, tmp_path):
    train(tmp_path / "whole")
    train(tmp_path / "parts")
    for folder in checkpoint_folders(tmp_path / "parts" / "checkpoints")[1:]:
        (folder / "MANIFEST.json").unlink()
    with pytest.warns(UserWarning, match="step-00000008 is damaged"):
        train(tmp_path / "parts", resume=True, background_saves=True)
    whole, parts = (load_checkpoint(tmp_path / name / "checkpoints") for name in ("whole", "parts"))
    assert all(torch.equal(whole.model[name], parts.model[name]) for name in whole.model)
