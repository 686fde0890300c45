import hashlib
import json
from dataclasses import replace

import pytest
import torch

from minigpt.training import load_checkpoint, save_checkpoint
from minigpt.training.storage.whole import parse_tensors


def test_what_was_saved_comes_back(tmp_path, checkpoint):
    save_checkpoint(tmp_path, checkpoint(5))
    loaded = load_checkpoint(tmp_path)
    assert loaded.step == 5 and loaded.state == checkpoint(5).state
    for name, tensor in checkpoint(5).model.items():
        assert torch.equal(loaded.model[name], tensor) and loaded.model[name].dtype == tensor.dtype
    assert torch.equal(loaded.optimizer["w.m"], torch.full((3, 2), 5.0))


def test_the_manifest_has_the_size_and_hash_of_every_other_file(tmp_path, checkpoint):
    folder = save_checkpoint(tmp_path, checkpoint(5))
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "MANIFEST.json"}
    assert json.loads((folder / "MANIFEST.json").read_text()) == {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()
    }


def test_a_manifest_of_other_files_is_refused(tmp_path, checkpoint):
    folder = save_checkpoint(tmp_path, checkpoint(5))
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    (folder / "MANIFEST.json").write_text(json.dumps({**manifest, "../state.json": manifest["state.json"]}))
    with (
        pytest.warns(
            UserWarning, match=r"its manifest lists \['\.\./state\.json', .* expected \['model\.safetensors', "
        ),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\x80\x04.", b"\xff" * 16, b"\x02" + bytes(7) + b"{}" + b"left over"], ids=range(4)
)
def test_bytes_that_are_no_safetensors_are_one_error_that_names_the_file(data):
    with pytest.raises(ValueError, match=r"model\.safetensors can't be read: "):
        parse_tensors(data, "model.safetensors")


def test_two_names_of_one_tensor_are_refused_by_name(tmp_path, checkpoint):
    tied = torch.ones(3, 2)
    with pytest.raises(ValueError, match="can't be saved: head and table share their memory; leave one of them out"):
        save_checkpoint(tmp_path, replace(checkpoint(1), model={"head": tied, "table": tied}))
    assert list(tmp_path.iterdir()) == []
