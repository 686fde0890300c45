import errno
import os
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from minigpt.files.atomic import FullDiskError, explain_full_disk, explain_refusal, swap_paths, write_atomically


class Crash(BaseException):
    pass


def failing(error):
    def function(*arguments, **options):
        raise error

    return function


def test_the_bytes_are_there_and_the_parents_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b" / "file", b"new")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"new"


def test_everyone_may_read_the_file(tmp_path):
    write_atomically(tmp_path / "file", b"new")
    assert sys.platform == "win32" or stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [OSError("broken"), KeyboardInterrupt(), Crash()], ids=repr)
@pytest.mark.parametrize(
    ("owner", "call"), [(os, "fdopen"), (os, "fsync"), (Path, "chmod"), (Path, "replace")], ids=lambda it: str(it)[-10:]
)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, owner, call, error):
    write_atomically(tmp_path / "file", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(owner, call, failing(error))
        with pytest.raises(type(error)):
            write_atomically(tmp_path / "file", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_the_bytes_are_flushed_before_the_file_gets_its_name(tmp_path, monkeypatch):
    calls, flush, replace = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda handle: calls.append("flush") or flush(handle))
    monkeypatch.setattr(Path, "replace", lambda path, target: calls.append("rename") or replace(path, target))
    write_atomically(tmp_path / "file", b"new")
    assert calls == ["flush", "rename"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_which_file_was_not_written(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", failing(OSError(number, os.strerror(number))))
    with pytest.raises(OSError, match=r"the disk is full: .*file was not written; free some space and try") as caught:
        write_atomically(tmp_path / "file", b"new")
    assert caught.value.errno == number
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("owner", [(tempfile, "mkstemp"), (Path, "replace")], ids=str)
def test_what_the_system_refuses_names_the_file_and_not_the_partial_one(tmp_path, monkeypatch, owner):
    refusal = PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / ".file-x1y2"))
    monkeypatch.setattr(*owner, failing(refusal))
    with pytest.raises(PermissionError, match=r"file was not written: Permission denied$") as caught:
        write_atomically(tmp_path / "file", b"new")
    assert (caught.value.errno, caught.value.filename) == (errno.EACCES, None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(ValueError, match="place is a folder, expected a plain file; move or delete it"):
        write_atomically(tmp_path / "place", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


@pytest.mark.parametrize("inner", ["file", "deeper/file"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path, inner):
    (tmp_path / "place").write_bytes(b"mine")
    with pytest.raises(ValueError, match="place is a file, expected a folder; move or delete it"):
        write_atomically(tmp_path / "place" / inner, b"new")
    assert (tmp_path / "place").read_bytes() == b"mine"


def test_a_device_is_not_replaced_by_a_file():
    with pytest.raises(ValueError, match=f"{os.devnull} is a pipe or a device, expected a plain file"):
        write_atomically(os.devnull, b"new")


def test_what_was_said_of_a_full_disk_within_is_not_said_otherwise():
    with (
        pytest.raises(OSError, match="the disk is full: it is there, and not confirmed"),
        explain_refusal(Path("folder"), "nothing is there"),
        explain_full_disk("it is there, and not confirmed"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_words_of_the_system_are_not_taken_for_an_explanation():
    with pytest.raises(FullDiskError, match=r"the disk is full: nothing was written$") as caught:  # noqa: SIM117
        with explain_refusal(Path("folder"), "nothing was written"):
            raise OSError(errno.ENOSPC, "the disk is full, says the file system")
    assert caught.value.errno == errno.ENOSPC


def test_another_error_of_the_system_is_left_as_it_is():
    with pytest.raises(PermissionError, match="no entry"), explain_full_disk("nothing was written"):
        raise PermissionError(errno.EACCES, "no entry")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such call")
def test_two_folders_exchange_their_names(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    assert swap_paths(tmp_path / "one", tmp_path / "other")
    assert [(tmp_path / name / "name.txt").read_text() for name in ("one", "other")] == ["other", "one"]


def test_what_is_missing_is_not_exchanged(tmp_path):
    (tmp_path / "one").mkdir()
    assert not swap_paths(tmp_path / "one", tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
