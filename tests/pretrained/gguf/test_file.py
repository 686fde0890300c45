"""A GGUF file on the disk: its tensors as float32, and what is no such file."""

import struct
import sys

import gguf
import numpy as np
import pytest

from minigpt.pretrained.gguf import gguf_model
from minigpt.pretrained.gguf.file import open_gguf


def write(path, arrays):
    writer = gguf.GGUFWriter(path, "llama")
    for name, (array, kind) in arrays.items():
        writer.add_tensor(name, array, raw_dtype=kind and gguf.GGMLQuantizationType[kind])
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    return path


@pytest.mark.parametrize("kind", ["Q4_K", "Q6_K", "Q5_0", "IQ4_NL"])
def test_numbers_are_those_of_the_package(tmp_path, kind):
    number = gguf.GGMLQuantizationType[kind]
    in_block, size = gguf.GGML_QUANT_SIZES[number]
    width = 2 * 256 // in_block * size
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 60, (6, width), dtype=np.uint8).reshape(2, 3, width)
    with open_gguf(write(tmp_path / "x.gguf", {"t": (raw, kind)})) as file:
        assert file.shape("t") == (2, 3, 512)
        tensor = file.tensor("t")
    assert np.array_equal(tensor.numpy(), gguf.quants.dequantize(raw, number).reshape(2, 3, 512))


def test_tensors_that_share_bytes_are_refused(tmp_path):
    path = write(tmp_path / "x.gguf", {name: (np.ones(32, np.float32), None) for name in ("a", "b")})
    data = bytearray(path.read_bytes())
    offset = struct.pack("<IQ", 0, 128)  # the type and the place of "b"
    assert data.count(offset) == 1
    path.write_bytes(data.replace(offset, struct.pack("<IQ", 0, 64)))
    with pytest.raises(ValueError, match=r"the tensors a and b overlap"), open_gguf(path):
        pass


def test_a_file_that_ends_within_a_tensor_is_refused(tmp_path):
    path = write(tmp_path / "x.gguf", {"a": (np.ones(64, np.float32), None)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="it ends within the tensor a"), open_gguf(path):
        pass


def test_a_type_that_is_unknown_and_rows_without_whole_blocks_are_refused(tmp_path):
    path = write(tmp_path / "x.gguf", {"a": (np.ones(33, np.float32), None)})
    whole = path.read_bytes()
    place = whole.index(struct.pack("<QIQ", 33, 0, 0)) + 8
    for kind, message in ((99, "number 99, which is unknown"), (8, r"has shape \(33,\); type Q8_0 has rows of blocks")):
        path.write_bytes(whole[:place] + struct.pack("<I", kind) + whole[place + 4 :])
        with pytest.raises(ValueError, match=message), open_gguf(path):
            pass


@pytest.mark.parametrize(
    ("content", "message"), [(None, "it is missing"), (b"", "it is empty"), (b"{}", "it ends too early|letters GGUF")]
)
def test_what_is_no_gguf_file_is_refused_by_its_path(tmp_path, content, message):
    path = tmp_path / "x.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.gguf can't be used: ({message})"):
        gguf_model(path)


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch, make):
    path = make()
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(ImportError, match="pip install --no-deps gguf pyyaml"):
        gguf_model(path)
