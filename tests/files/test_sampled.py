import hashlib

import pytest

from minigpt.files import sampled
from minigpt.files.sampled import sampled_entry


@pytest.mark.parametrize("size", [0, 1, 7, 8])
def test_a_small_file_is_hashed_whole(tmp_path, monkeypatch, size):
    monkeypatch.setattr(sampled, "BLOCK", 8)
    (tmp_path / "f").write_bytes(bytes(range(size)))
    expected = {"size": size, "sha256": hashlib.sha256(bytes(range(size))).hexdigest()}
    assert sampled_entry(tmp_path / "f") == expected


def test_of_a_large_file_sixteen_blocks_count_the_first_and_the_last_among_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sampled, "BLOCK", 8)
    whole, file = bytes(1000), tmp_path / "f"
    file.write_bytes(whole)
    before, noticed = sampled_entry(file), []
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + b"x" + whole[at + 1 :])
        if sampled_entry(file) != before:
            noticed.append(at)
    assert len(noticed) == 16 * 8
    assert noticed[:8] == list(range(8)) and noticed[-8:] == list(range(992, 1000))
    assert all(block[-1] - block[0] == 7 for block in (noticed[i : i + 8] for i in range(0, 128, 8)))
    file.write_bytes(whole + b"x")
    assert sampled_entry(file) != before


def test_what_is_no_plain_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not a plain file"):
        sampled_entry(tmp_path)
    with pytest.raises(ValueError, match="missing"):
        sampled_entry(tmp_path / "f")
