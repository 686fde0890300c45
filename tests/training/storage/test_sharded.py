"""minigpt/training/storage/sharded.py in one process; tests/training/processes has two, each with its part."""

import errno
import hashlib
import json
import os

import pytest
import safetensors.torch
import torch
from torch.distributed import checkpoint as dcp

from minigpt.training.processes.distributed import ALONE
from minigpt.training.storage import sharded
from minigpt.training.storage.loading import load_checkpoint, newest_checkpoint
from minigpt.training.storage.sharded import ShardedCheckpoint, is_sharded, save_sharded

SHARD = "shard-00001-model-00001-of-00001.safetensors"

# What PyTorch says where there is one process.
pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")


@pytest.fixture
def saved(tmp_path, checkpoint):
    """The folder of one sharded checkpoint, that of step 5."""
    save_sharded(tmp_path, checkpoint(5), ALONE)
    return tmp_path / "step-00000005"


def test_what_was_saved_comes_back(saved, checkpoint):
    loaded, expected = load_checkpoint(saved.parent), checkpoint(5)
    assert loaded.step == 5 and loaded.state == expected.state
    for own, theirs in ((loaded.model, expected.model), (loaded.optimizer, expected.optimizer)):
        assert own.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert torch.equal(own[name], tensor) and own[name].dtype == tensor.dtype


def test_an_opened_one_knows_shapes_and_leaves_the_numbers_on_the_disk(saved, checkpoint):
    opened = newest_checkpoint(saved.parent)
    assert isinstance(opened, ShardedCheckpoint)
    assert {t.device.type for t in (*opened.model.values(), *opened.optimizer.values())} == {"meta"}
    assert {name: (t.shape, t.dtype) for name, t in opened.model.items()} == {
        name: (t.shape, t.dtype) for name, t in checkpoint(5).model.items()
    }


def test_the_numbers_are_read_in_place_and_only_those_that_are_asked_for(saved, checkpoint):
    w = torch.zeros(3, 2)
    place = w.data_ptr()
    newest_checkpoint(saved.parent).copy_to({"w": w}, {})
    assert w.data_ptr() == place
    assert torch.equal(w, checkpoint(5).model["w"])


def test_the_shard_is_a_safetensors_file_of_weights_and_moments(saved, checkpoint):
    tensors = safetensors.torch.load_file(saved / SHARD)
    assert tensors.keys() == {"model/w", "model/b", "optimizer/w.m"}
    assert torch.equal(tensors["optimizer/w.m"], checkpoint(5).optimizer["w.m"])


def test_the_manifest_has_the_size_and_hash_of_every_other_file(saved):
    files = {path.name: path.read_bytes() for path in saved.iterdir() if path.name != "MANIFEST.json"}
    assert files.keys() == {SHARD, "state.json"}
    assert json.loads((saved / "MANIFEST.json").read_text()) == {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }


def test_the_newest_stay_as_many_as_are_to_be_kept(tmp_path, checkpoint):
    for step in (1, 2, 3):
        save_sharded(tmp_path, checkpoint(step), ALONE, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]


def test_a_shard_with_another_bit_is_passed_over_for_an_older_checkpoint(saved, checkpoint):
    save_sharded(saved.parent, checkpoint(6), ALONE)
    shard = saved.parent / "step-00000006" / SHARD
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.warns(UserWarning, match=f"step-00000006 is damaged and passed over: .*{SHARD}"):
        assert load_checkpoint(saved.parent).step == 5


@pytest.mark.parametrize("data", [b"", b"\x80\x04.", b"\xff" * 16, b"\x02" + bytes(7) + b"[]"], ids=range(4))
def test_a_forged_shard_is_one_error(saved, forge_manifest, data):
    (saved / SHARD).write_bytes(data)
    forge_manifest(saved, SHARD)
    with (
        pytest.warns(UserWarning, match="step-00000005 is damaged and passed over: its shards can't be read"),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(saved.parent)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([SHARD, "state.json"], True),
        ([SHARD, SHARD.replace("1-model", "2-model"), "state.json"], True),
        ([], False),
        (["state.json"], False),
        (["model.safetensors", "optimizer.safetensors", "state.json"], False),
        ([SHARD, "model.safetensors", "state.json"], False),
        ([SHARD, "shard-/../../secret", "state.json"], False),
        ([f"../{SHARD}", "state.json"], False),
    ],
)
def test_sharded_is_a_manifest_of_shards_in_their_folder(names, expected):
    assert is_sharded({name: {} for name in names}) is expected


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full: step-00000006 was not saved"),
        (RuntimeError("a lost thread"), "rank 0 could not read or write its part: a lost thread"),
    ],
)
def test_a_save_that_fails_is_an_oserror_and_leaves_what_was_there(saved, checkpoint, monkeypatch, failure, message):
    class Failing(dcp.HuggingFaceStorageWriter):
        def write_data(self, *arguments):
            raise failure

    monkeypatch.setattr(dcp, "HuggingFaceStorageWriter", Failing)
    with pytest.raises(OSError, match=message):
        save_sharded(saved.parent, checkpoint(6), ALONE)
    assert [path.name for path in saved.parent.iterdir()] == ["step-00000005"]
    assert load_checkpoint(saved.parent).step == 5


@pytest.mark.parametrize("how", ["written", "replaced", "linked"])
def test_a_shard_that_is_another_one_when_it_is_read_is_refused(saved, checkpoint, tmp_path, how):
    os.utime(saved / SHARD, (1, 1))  # the clock of a file system may have ticks of some milliseconds
    opened = newest_checkpoint(saved.parent)
    other = tmp_path / "other"
    save_sharded(other, checkpoint(7), ALONE)
    forged = other / "step-00000007" / SHARD
    if how == "written":
        (saved / SHARD).write_bytes(forged.read_bytes())
    elif how == "replaced":
        forged.replace(saved / SHARD)
    else:
        (saved / SHARD).unlink()
        (saved / SHARD).symlink_to(forged)
    with pytest.raises(ValueError, match=rf"^{SHARD} was changed or replaced while it was read; load it again$"):
        opened.whole()


def test_a_shard_that_is_replaced_between_its_check_and_its_header_is_passed_over(saved, checkpoint, monkeypatch):
    checked = sharded.check_file

    def check_then_replace(path, entry):
        identity = checked(path, entry)
        path.with_name("copy").write_bytes(path.read_bytes())
        path.with_name("copy").replace(path)
        return identity

    monkeypatch.setattr(sharded, "check_file", check_then_replace)
    with (
        pytest.warns(UserWarning, match=rf"passed over: {SHARD} was changed or replaced"),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(saved.parent)
