import errno
import hashlib
import json
import os
import pickle
import shutil
from dataclasses import replace

import pytest
import torch

from minigpt.training import Checkpoint, load_checkpoint, save_checkpoint
from minigpt.training.storage.checkpoint import checkpoint_folders, resume_checkpoint

STATE = {"model_config": {"vocab_size": 3}, "train_config": {}, "tokenizer": None, "data": {}}


def checkpoint(step):
    tensors = {"w": torch.full((3, 2), float(step)), "b": torch.arange(4, dtype=torch.bfloat16)}
    return Checkpoint(step=step, model=tensors, optimizer={"w.m": torch.ones(3, 2) * step}, state=STATE)


def test_what_was_saved_comes_back(tmp_path):
    save_checkpoint(tmp_path, checkpoint(5))
    loaded = load_checkpoint(tmp_path)
    assert loaded.step == 5 and loaded.state == STATE
    for name, tensor in checkpoint(5).model.items():
        assert torch.equal(loaded.model[name], tensor) and loaded.model[name].dtype == tensor.dtype
    assert torch.equal(loaded.optimizer["w.m"], torch.full((3, 2), 5.0))


def test_the_newest_few_are_kept(tmp_path):
    for step in (1, 2, 10, 11):
        save_checkpoint(tmp_path, checkpoint(step), keep=2)
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000010", "step-00000011"]


class Bomb:
    """Its pickle creates a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("dump", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_planted_pickle_is_refused_and_never_run(tmp_path, name, dump):
    folder = save_checkpoint(tmp_path / "checkpoints", checkpoint(1))
    with (folder / name).open("wb") as file:
        dump(Bomb(tmp_path / "executed"), file)
    forge_manifest(folder, name)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(tmp_path / "checkpoints")
    assert not (tmp_path / "executed").exists()


def forge_manifest(folder, name):
    """Make the manifest fit whatever the file now holds."""
    data = (folder / name).read_bytes()
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, name, damage):
    save_checkpoint(tmp_path, checkpoint(1))
    path = save_checkpoint(tmp_path, checkpoint(2)) / name
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-3])
    else:
        path.unlink()
    with pytest.warns(UserWarning, match="step-00000002 is damaged and passed over: "):
        assert load_checkpoint(tmp_path).step == 1


def test_one_flipped_bit_anywhere_in_the_weights_is_noticed(tmp_path):
    path = save_checkpoint(tmp_path, checkpoint(1)) / "model.safetensors"
    original = path.read_bytes()
    for position in range(len(original)):
        path.write_bytes(original[:position] + bytes([original[position] ^ 4]) + original[position + 1 :])
        with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="no usable checkpoint"):
            load_checkpoint(tmp_path)


@pytest.mark.parametrize("state", [[], {"step": 1}, {"step": 1, **STATE, "model_config": 3}])
def test_a_consistent_manifest_around_nonsense_is_refused(tmp_path, state):
    folder = save_checkpoint(tmp_path, checkpoint(1))
    (folder / "state.json").write_text(json.dumps(state))
    forge_manifest(folder, "state.json")
    with pytest.warns(UserWarning, match="state.json"), pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_another_step_under_this_name_is_refused(tmp_path):
    save_checkpoint(tmp_path, checkpoint(1))
    newer = save_checkpoint(tmp_path, checkpoint(2))
    for file in (tmp_path / "step-00000001").iterdir():
        shutil.copy(file, newer)
    with pytest.warns(UserWarning, match="step-00000002 is damaged .*: state.json speaks of step 1"):
        assert load_checkpoint(tmp_path).step == 1


def test_what_is_no_plain_file_is_refused_before_it_is_read(tmp_path):
    """A pipe would block its reader for ever; a device may have no end."""
    folder = save_checkpoint(tmp_path, checkpoint(1))
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    with pytest.warns(UserWarning, match="model.safetensors is missing"), pytest.raises(ValueError, match="no usable"):
        load_checkpoint(tmp_path)


def test_a_damaged_newer_checkpoint_is_set_aside_and_takes_no_place_among_those_kept(tmp_path):
    for step in (1, 2, 3, 4):
        save_checkpoint(tmp_path, checkpoint(step), keep=4)
    for step in (3, 4):
        (tmp_path / f"step-0000000{step}" / "state.json").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert resume_checkpoint(tmp_path).step == 2
    save_checkpoint(tmp_path, checkpoint(3), keep=2)
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000002", "step-00000003"]
    assert sorted(path.name for path in tmp_path.glob("*.damaged")) == [
        "step-00000003.damaged",
        "step-00000004.damaged",
    ]


def test_saving_a_step_anew_replaces_it(tmp_path):
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, replace(checkpoint(1), optimizer={}))
    assert load_checkpoint(tmp_path).optimizer == {}
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_steps_beyond_eight_digits_are_still_in_order(tmp_path):
    for step in (99_999_999, 100_000_000):
        save_checkpoint(tmp_path, checkpoint(step))
    assert load_checkpoint(tmp_path).step == 100_000_000


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"no usable checkpoint in .*: found none; train one with `minigpt train"):
        load_checkpoint(tmp_path)


def test_a_full_disk_keeps_the_old_checkpoint_and_leaves_no_litter(tmp_path, monkeypatch):
    save_checkpoint(tmp_path, checkpoint(1))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full: step-00000002 was not saved") as caught:
        save_checkpoint(tmp_path, checkpoint(2))
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert load_checkpoint(tmp_path).step == 1


@pytest.mark.parametrize("call", range(12))
def test_a_crash_at_any_write_leaves_a_whole_checkpoint(tmp_path, monkeypatch, call):
    class Crash(BaseException):
        pass

    save_checkpoint(tmp_path, checkpoint(1))
    calls = iter(range(1000))

    def crashing(function):
        def wrapper(*arguments, **options):
            if next(calls) == call:
                raise Crash
            return function(*arguments, **options)

        return wrapper

    with monkeypatch.context() as patch:
        for module, name in ((os, "fsync"), (os, "mkdir"), (os, "rename"), (shutil, "rmtree")):
            patch.setattr(module, name, crashing(getattr(module, name)))
        try:
            save_checkpoint(tmp_path, checkpoint(2))
            survived = True
        except Crash:
            survived = False
    assert load_checkpoint(tmp_path).step in ((2,) if survived else (1, 2))
    save_checkpoint(tmp_path, checkpoint(3))
    assert load_checkpoint(tmp_path).step == 3
    assert not list(tmp_path.glob("*.tmp"))
