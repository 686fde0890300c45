import hashlib
import os
import sys
import threading
from pathlib import Path

import pytest

from minigpt.files.plain import read_plain
from minigpt.files.verified import (
    check_file,
    check_place,
    check_unchanged_file,
    entry_of,
    entry_of_file,
    read_verified,
    refuse_links_outside,
    sha256_of_file,
)

DATA = b"three little tensors" * 1000
ENTRY = {"size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
READERS = pytest.mark.parametrize("read", [read_verified, check_file])


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(DATA)
    return path


def test_an_entry_is_the_same_from_memory_and_from_the_disk(file):
    assert entry_of(DATA) == entry_of_file(file) == ENTRY
    assert sha256_of_file(file) == ENTRY["sha256"]


def test_a_file_that_matches_its_entry_is_read(file):
    by_hash = {"sha256": ENTRY["sha256"]}
    assert read_verified(file, ENTRY) == read_verified(file, by_hash, limit=len(DATA)) == DATA
    check_file(file, ENTRY)


def test_a_large_file_is_checked_without_reading_it_as_a_whole(file, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", None)
    check_file(file, ENTRY)
    assert entry_of_file(file) == ENTRY


@READERS
@pytest.mark.parametrize("position", [0, 9999, len(DATA) - 1])
def test_one_wrong_bit_is_noticed_and_the_file_named(file, read, position):
    data = bytearray(DATA)
    data[position] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match=r"^model\.safetensors does not match the sha256 in its manifest$"):
        read(file, ENTRY)


@READERS
@pytest.mark.parametrize("size", [0, len(DATA) - 1, len(DATA) + 1, "20000", None, [1] * 99])
def test_another_size_is_noticed_before_the_file_is_read(file, read, size, monkeypatch):
    monkeypatch.setattr("minigpt.files.verified.read_open", None)
    monkeypatch.setattr("minigpt.files.verified._digest", None)
    with pytest.raises(ValueError, match=r"^model\.safetensors has 20,000 bytes, its manifest says .{1,20}$"):
        read(file, {**ENTRY, "size": size})


@READERS
@pytest.mark.parametrize("entry", [None, 3, [], "sha256", {}, {"size": len(DATA)}, {"sha256": None}])
def test_an_entry_that_is_none_matches_no_file(file, read, entry):
    with pytest.raises(ValueError, match=r"does not match the sha256 in its manifest|does not say how large"):
        read(file, entry)


@READERS
def test_a_missing_file_and_a_folder_are_named(tmp_path, read):
    with pytest.raises(ValueError, match=r"^gone is missing$"):
        read(tmp_path / "gone", ENTRY)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ValueError, match=r"^folder is not a plain file$"):
        read(tmp_path / "folder", ENTRY)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize(
    "read", [read_verified, check_file, lambda path, _: entry_of_file(path), lambda path, _: sha256_of_file(path)]
)
def test_a_pipe_is_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    errors = []

    def attempt():
        try:
            read(tmp_path / "pipe", ENTRY)
        except ValueError as error:
            errors.append(str(error))

    reader = threading.Thread(target=attempt, daemon=True)
    reader.start()
    reader.join(10)
    assert errors == ["pipe is not a plain file"]


def test_an_error_of_the_system_is_one_error_that_names_the_file(file, monkeypatch):
    def broken(*arguments, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "open", broken)
    for read in (lambda: read_plain(file, "it"), lambda: sha256_of_file(file)):
        with pytest.raises(ValueError, match=r"^(it|model\.safetensors) can't be read: Input/output error$"):
            read()


def test_links_may_lead_to_files_of_the_same_folder_alone(tmp_path):
    home, beside = tmp_path / "home", tmp_path / "home.old"
    for folder in (home, beside):
        folder.mkdir()
        (folder / "a").write_bytes(DATA)
    (tmp_path / "name").symlink_to(home)
    (home / "b").symlink_to("a")
    for folder in (home, tmp_path / "name"):
        refuse_links_outside(folder)
    (home / "c").symlink_to(beside / "a")
    for folder in (home, tmp_path / "name"):
        with pytest.raises(ValueError, match=r"^c is a link to .*a, outside its folder; put the file itself there$"):
            refuse_links_outside(folder)
    with pytest.raises(ValueError, match=r"^gone can't be read: "):
        refuse_links_outside(tmp_path / "gone")


def with_holes(path, size=2**40):
    """A file that is larger than any memory and takes no room on the disk."""
    with path.open("wb") as file:
        try:
            file.truncate(size)
        except OSError:
            pytest.skip("this file system has no files with holes")
    return path


@READERS
@pytest.mark.parametrize("entry", [{}, {"sha256": ENTRY["sha256"]}, ENTRY])
def test_a_file_with_holes_is_refused_before_it_is_read(tmp_path, read, entry, monkeypatch):
    path = with_holes(tmp_path / "model.safetensors")
    monkeypatch.setattr("minigpt.files.verified.read_open", None)
    monkeypatch.setattr("minigpt.files.verified._digest", None)
    with pytest.raises(
        ValueError, match=r"^(model\.safetensors has 1,0|the manifest does not say how large model\.saf)"
    ):
        read(path, entry)


def test_no_more_is_read_than_the_limit_allows(file):
    with pytest.raises(ValueError, match=r"^model\.safetensors has 20,000 bytes; at most 19,999 are read$"):
        read_verified(file, ENTRY, limit=len(DATA) - 1)


def test_a_file_larger_than_the_memory_is_one_error_that_names_it(file, monkeypatch):
    def too_large(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(os, "open", too_large)
    with pytest.raises(ValueError, match=r"^model\.safetensors can't be read: it is larger than the memory$"):
        read_verified(file, ENTRY)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows makes links for administrators alone")
@pytest.mark.parametrize(
    ("place", "options", "found"),
    [
        ("nothing", {}, None),
        ("nothing", {"folder": True}, None),
        ("file", {}, None),
        ("file", {"folder": True}, "a file, expected a folder"),
        ("folder", {}, "a folder, expected a plain file"),
        ("folder", {"folder": True}, None),
        ("link to file", {}, None),
        ("link to file", {"links": False}, "a symbolic link, expected a plain file"),
        ("link to file", {"folder": True}, "a file, expected a folder"),
        ("link to folder", {"folder": True}, None),
        ("link to nothing", {}, "a symbolic link to nothing, expected a plain file"),
        ("link to device", {}, "a pipe or a device, expected a plain file"),
    ],
)
def test_what_is_in_the_place_of_a_file_or_a_folder_is_named_where_it_is_another(tmp_path, place, options, found):
    (tmp_path / "file").write_bytes(DATA)
    (tmp_path / "folder").mkdir()
    for target in ("file", "folder", "nothing"):
        (tmp_path / f"link to {target}").symlink_to(tmp_path / target)
    (tmp_path / "link to device").symlink_to(os.devnull)
    if found is None:
        check_place(tmp_path / place, **options)
        return
    with pytest.raises(ValueError, match=f"{place} is {found}; move or delete it and try again"):
        check_place(tmp_path / place, **options)


@READERS
def test_a_file_that_is_replaced_once_it_is_open_is_the_one_that_was_opened(file, tmp_path, read, monkeypatch):
    opened = os.open

    def open_and_replace(path, *rest, **options):
        handle = opened(path, *rest, **options)
        (tmp_path / "forged").write_bytes(DATA[::-1])
        (tmp_path / "forged").replace(file)
        return handle

    monkeypatch.setattr(os, "open", open_and_replace)
    read(file, ENTRY)  # its size and its hash are those of one file
    assert file.read_bytes() == DATA[::-1]


def test_a_file_that_was_checked_and_is_another_since_is_refused(file):
    identity = check_file(file, ENTRY)
    check_unchanged_file(file, identity)
    file.with_name("copy").write_bytes(DATA)
    file.with_name("copy").replace(file)  # the same bytes under the same name: what was read between is not known
    with pytest.raises(
        ValueError, match=r"^model\.safetensors was changed or replaced while it was read; load it again"
    ):
        check_unchanged_file(file, identity)
