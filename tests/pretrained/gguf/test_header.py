"""The head of a GGUF file, written by the package ``gguf`` or by hand."""

import struct

import gguf
import numpy as np
import pytest
from damage_campaign import campaign

from minigpt.pretrained.gguf.header import TensorEntry, read_header


def text(value):
    return struct.pack("<Q", len(value)) + value


def head(*parts, n_tensors=0, n_fields=0, magic=b"GGUF", version=3):
    return memoryview(magic + struct.pack("<IQQ", version, n_tensors, n_fields) + b"".join(parts))


def field(name, kind, value):
    return text(name) + struct.pack("<I", kind) + value


def test_every_kind_of_value_is_that_which_the_package_wrote(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_uint8("u8", 255), writer.add_int8("i8", -128), writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -9), writer.add_uint32("u32", 2**32 - 1), writer.add_int32("i32", -7)
    writer.add_uint64("u64", 2**64 - 1), writer.add_int64("i64", -(2**63)), writer.add_bool("b", True)
    writer.add_float32("f", 0.5), writer.add_float64("d", 0.1), writer.add_string("s", "我们")
    writer.add_array("texts", ["a", "", "é"]), writer.add_array("numbers", [1, -2, 3])
    writer.add_array("bools", [True, False])
    writer.add_tensor("t", np.arange(6, dtype=np.float32).reshape(2, 3))
    writer.add_tensor("other", np.arange(5, dtype=np.float16))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    header = read_header(memoryview((tmp_path / "x.gguf").read_bytes()))
    theirs = gguf.GGUFReader(tmp_path / "x.gguf")
    fields = {name: f.contents() for name, f in theirs.fields.items() if not name.startswith("GGUF.")}
    ours = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in header.fields.items()}
    assert ours == fields and ours["u64"] == 2**64 - 1 and ours["texts"] == ["a", "", "é"]
    places = {t.name: (tuple(reversed(t.shape.tolist())), int(t.tensor_type), t.data_offset) for t in theirs.tensors}
    assert {t.name: (t.shape, t.kind, t.start) for t in header.tensors.values()} == places
    assert header.tensors["t"] == TensorEntry("t", (2, 3), 0, header.tensors["t"].start)


def test_the_data_begin_where_the_alignment_says():
    entry = text(b"t") + struct.pack("<IQIQ", 1, 3, 0, 128)
    aligned = field(b"general.alignment", 4, struct.pack("<I", 64))
    assert read_header(head(aligned, entry, n_tensors=1, n_fields=1)).tensors["t"].start % 64 == 0
    size = len(head(entry, n_tensors=1))
    assert read_header(head(entry, n_tensors=1)).tensors["t"].start == size + -size % 32 + 128


NAME = text(b"x")
TENSOR = text(b"t") + struct.pack("<IQIQ", 1, 3, 0, 0)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (memoryview(b"GG"), "it ends too early: 4 bytes are expected at byte 0"),
        (head(magic=b"GGML"), "does not begin with the letters GGUF"),
        (head(version=1), "its version is 1; expected 2 or 3"),
        (head(version=3 << 24), "its numbers are big-endian"),
        (head(n_fields=2**40), "it says that 1,099,511,627,776 fields follow"),
        (head(n_tensors=10), "it says that 10 tensors follow, more than it can hold"),
        (head(struct.pack("<Q", 2**63), b"x" * 20, n_fields=1), "9,223,372,036,854,775,808 bytes are expected"),
        (head(field(b"x", 4, b"\0" * 4) * 2, n_fields=2), "it has the field 'x' twice"),
        (head(field(b"\xff", 4, b"\0" * 9), n_fields=1), "a text in it is not UTF-8"),
        (head(field(b"x", 13, b"\0" * 9), n_fields=1), "the field 'x' has a value of type 13; expected 0 to 12"),
        (head(field(b"x", 9, struct.pack("<IQ", 9, 1) + b"\0" * 9), n_fields=1), "array of values of type 9, which"),
        (head(field(b"x", 9, struct.pack("<IQ", 8, 2**50)), n_fields=1), "1,125,899,906,842,624 values of 'x' follow"),
        (head(field(b"x", 9, struct.pack("<IQ", 0, 2**25)), n_fields=1), "33,554,432 values of 'x' follow"),
        (head(field(b"general.alignment", 4, struct.pack("<I", 24)), n_fields=1), "general.alignment is 24; expected"),
        (head(field(b"general.alignment", 4, struct.pack("<I", 0)), n_fields=1), "general.alignment is 0; expected"),
        (head(field(b"general.alignment", 8, text(b"abc")), n_fields=1), "general.alignment is abc; expected"),
        (head(TENSOR, TENSOR, n_tensors=2), "it has two tensors of one name"),
        (head(text(b"t"), struct.pack("<I", 9), b"\0" * 20, n_tensors=1), "the tensor 't' has 9 axes"),
        (head(text(b"t"), struct.pack("<I", 0), b"\0" * 20, n_tensors=1), "the tensor 't' has 0 axes"),
    ],
)
def test_what_contradicts_itself_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        read_header(data)


def test_arrays_share_one_limit(monkeypatch):
    monkeypatch.setattr("minigpt.pretrained.gguf.header.MOST_ITEMS", 5)
    arrays = [field(name, 9, struct.pack("<IQ", 0, 3) + b"abc") for name in (b"x", b"y")]
    with pytest.raises(ValueError, match=r"3 values of 'y' follow, more than it can hold or than are read \(2\)"):
        read_header(head(*arrays, n_fields=2))


def test_damaged_files_are_read_or_refused_with_one_error():
    outcomes, _ = campaign(100)
    assert sum(outcomes.values()) == 100 and len(outcomes) > 8
