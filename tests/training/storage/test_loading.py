import json
import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

from minigpt.training import load_checkpoint, save_checkpoint
from minigpt.training.storage import loading

NO_PIPES = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
PIPE = pytest.param(lambda path: os.mkfifo(path), marks=NO_PIPES)


class Bomb:
    """Its pickle creates a file when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("dump", [pickle.dump, torch.save], ids=["pickle", "torch"])
def test_a_planted_pickle_is_refused_and_never_run(tmp_path, name, dump, checkpoint, forge_manifest):
    folder = save_checkpoint(tmp_path / "checkpoints", checkpoint(1))
    with (folder / name).open("wb") as file:
        dump(Bomb(tmp_path / "executed"), file)
    forge_manifest(folder, name)
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(tmp_path / "checkpoints")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path, name, damage, checkpoint):
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


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"])
def test_a_link_out_of_a_checkpoint_is_never_followed(tmp_path, name, checkpoint):
    save_checkpoint(tmp_path / "run", checkpoint(1))
    path = save_checkpoint(tmp_path / "run", checkpoint(2)) / name
    path.rename(tmp_path / name)
    path.symlink_to(tmp_path / name)
    with pytest.warns(UserWarning, match=f"step-00000002 is damaged and passed over: {name} is a link to .*outside"):
        assert load_checkpoint(tmp_path / "run").step == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators alone")
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "MANIFEST.json"])
def test_a_link_that_is_put_there_after_the_check_is_never_followed(tmp_path, name, checkpoint, monkeypatch):
    save_checkpoint(tmp_path / "run", checkpoint(1))
    path = save_checkpoint(tmp_path / "run", checkpoint(2)) / name

    def refuse_then_swap(folder):
        if folder == path.parent:
            path.rename(tmp_path / name)
            path.symlink_to(tmp_path / name)

    monkeypatch.setattr(loading, "refuse_links_outside", refuse_then_swap)
    with pytest.warns(UserWarning, match=f"step-00000002 is damaged and passed over: {name} is a symbolic link"):
        assert load_checkpoint(tmp_path / "run").step == 1


def test_a_run_folder_may_be_reached_by_a_link(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "disk" / "run", checkpoint(1))
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "run")
    assert load_checkpoint(tmp_path / "run").step == 1


def test_one_flipped_bit_anywhere_in_the_weights_is_noticed(tmp_path, checkpoint):
    path = save_checkpoint(tmp_path, checkpoint(1)) / "model.safetensors"
    original = path.read_bytes()
    for position in range(len(original)):
        path.write_bytes(original[:position] + bytes([original[position] ^ 4]) + original[position + 1 :])
        with pytest.warns(UserWarning, match="damaged"), pytest.raises(ValueError, match="no usable checkpoint"):
            load_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["MANIFEST.json", "state.json", "model.safetensors"])
@pytest.mark.parametrize("make", [Path.mkdir, PIPE], ids=["folder", "pipe"])
def test_what_is_no_plain_file_is_refused_before_it_is_read(tmp_path, file, make, checkpoint):
    """A pipe would block its reader for ever; a device may have no end."""
    folder = save_checkpoint(tmp_path, checkpoint(1))
    (folder / file).unlink()
    make(folder / file)
    with (
        pytest.warns(UserWarning, match=rf"{file} is not a plain file"),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["MANIFEST.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path, file, checkpoint):
    (save_checkpoint(tmp_path, checkpoint(1)) / file).unlink()
    with pytest.warns(UserWarning, match=f"{file} is missing"), pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(tmp_path)


def test_a_manifest_nested_too_deep_is_refused(tmp_path, checkpoint):
    (save_checkpoint(tmp_path, checkpoint(1)) / "MANIFEST.json").write_bytes(b"[" * 10**6)
    with pytest.warns(UserWarning, match="MANIFEST.json is not JSON"), pytest.raises(ValueError, match="no usable"):
        load_checkpoint(tmp_path)


def test_an_empty_folder_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"no usable checkpoint in .*: found none; train one with `minigpt train"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("entry", ["with its size", "without a size"])
@pytest.mark.parametrize("file", ["MANIFEST.json", "state.json", "model.safetensors"])
def test_a_file_with_holes_is_passed_over_unread_for_the_checkpoint_before(
    tmp_path, file, entry, checkpoint, monkeypatch
):
    save_checkpoint(tmp_path, checkpoint(1))
    folder = save_checkpoint(tmp_path, checkpoint(2))
    with (folder / file).open("wb") as opened:
        try:
            opened.truncate(2**40)
        except OSError:
            pytest.skip("this file system has no files with holes")
    if file != "MANIFEST.json":
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        manifest[file] = {"sha256": "0" * 64} | ({"size": 2**40} if entry == "with its size" else {})
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    with pytest.warns(UserWarning, match=rf"step-00000002 is damaged and passed over: .*{file}"):
        assert load_checkpoint(tmp_path).step == 1


@pytest.mark.parametrize("file", ["run", "run/checkpoints"])
def test_a_file_in_the_place_of_a_run_is_named(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("the cat")
    with pytest.raises(ValueError, match=f"{file} is a file; expected a run folder, with its checkpoints in "):
        load_checkpoint(tmp_path / "run" / "checkpoints")
