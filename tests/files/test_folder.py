import errno
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from minigpt.files.folder import delete_folder, update_folder, whole_folder

CALLS = ((os, "mkdir"), (os, "fsync"), (os, "rename"), (os, "rmdir"))


class Crash(BaseException):
    pass


@contextmanager
def failing_at(monkeypatch, call, error):
    """The call of this number to the system raises the error."""
    left = iter(range(1000))

    def watched(function):
        def wrapper(*arguments, **options):
            if next(left) == call:
                raise error
            return function(*arguments, **options)

        return wrapper

    with monkeypatch.context() as patch:
        for owner, name in CALLS:
            patch.setattr(owner, name, watched(getattr(owner, name)))
        yield


def write(folder, text="new", **options):
    with whole_folder(folder, f"{folder} was not written; free some space", **options) as partial:
        (partial / "inner").mkdir()
        (partial / "inner" / "a.txt").write_text(text)
        (partial / "b.txt").write_text(text)


def content(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.txt")}


WHOLE = {str(Path("inner") / "a.txt"): "new", "b.txt": "new"}


@pytest.mark.parametrize("exists", [False, True])
def test_what_was_written_is_there_under_the_final_name_alone(tmp_path, exists):
    if exists:
        (tmp_path / "out").mkdir()
    write(tmp_path / "out")
    assert content(tmp_path / "out") == WHOLE
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_final_name_is_free_while_the_folder_is_written(tmp_path):
    with whole_folder(tmp_path / "a" / "out", "") as partial:
        assert partial.parent == tmp_path / "a" and not (tmp_path / "a" / "out").exists()


def test_the_folder_has_the_permissions_of_an_ordinary_one(tmp_path):
    (tmp_path / "ordinary").mkdir()
    write(tmp_path / "out")
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


@pytest.mark.parametrize("error", [OSError("broken"), KeyboardInterrupt(), Crash()], ids=repr)
def test_a_failure_at_any_call_leaves_the_folder_whole_or_absent_and_nothing_else(tmp_path, monkeypatch, error):
    failures = 0
    for call in range(100):
        out = tmp_path / str(call) / "out"
        out.parent.mkdir()
        try:
            with failing_at(monkeypatch, call, error):
                write(out)
        except type(error):
            failures += 1
            found = [path.name for path in out.parent.iterdir()]
            assert found == [] or (found == ["out"] and content(out) == WHOLE)
            continue
        assert failures == 8  # 2 folders are made; 2 files, 2 folders and the one above are flushed; 1 rename
        return
    raise AssertionError("writing has no end")


def test_the_block_itself_may_fail(tmp_path):
    def fail():
        with whole_folder(tmp_path / "out", "") as partial:
            (partial / "a.txt").write_text("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_already_is_not_written_over(tmp_path, kind):
    if kind == "folder":
        write(tmp_path / "out", "old")
    else:
        (tmp_path / "out").write_text("old")
    with pytest.raises(ValueError, match="out is not empty; choose another folder, or remove it first"):
        write(tmp_path / "out")
    assert set(content(tmp_path).values()) <= {"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("target", ["empty", "missing", "out"])
def test_a_link_in_the_place_of_a_new_folder_is_refused_before_anything_is_written(tmp_path, target):
    (tmp_path / "empty").mkdir()
    (tmp_path / "out").symlink_to(target)
    with pytest.raises(ValueError, match="out is a symbolic link; give the folder itself, "):
        write(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "out"]
    assert list((tmp_path / "empty").iterdir()) == []


def test_files_that_came_into_the_folder_meanwhile_stay(tmp_path):
    def write_late():
        with whole_folder(tmp_path / "out", "") as partial:
            (partial / "a.txt").write_text("new")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "a.txt").write_text("another program's")

    with pytest.raises(OSError, match="out"):
        write_late()
    assert content(tmp_path) == {str(Path("out") / "a.txt"): "another program's"}


def test_a_folder_is_replaced_where_that_is_asked_for(tmp_path):
    write(tmp_path / "out", "old")
    write(tmp_path / "out", replace=True)
    assert content(tmp_path / "out") == WHOLE
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_block_leaves_the_folder_that_it_would_have_replaced(tmp_path):
    write(tmp_path / "out")
    with pytest.raises(Crash), whole_folder(tmp_path / "out", "", replace=True):
        raise Crash
    assert content(tmp_path / "out") == WHOLE


def test_what_a_crash_left_at_an_agreed_place_is_deleted(tmp_path):
    (tmp_path / "out.tmp").mkdir()
    (tmp_path / "out.tmp" / "half.txt").write_text("old")
    with whole_folder(tmp_path / "out", "", partial=tmp_path / "out.tmp") as partial:
        assert partial == tmp_path / "out.tmp" and list(partial.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_of_two_programs_that_write_at_once_the_first_to_end_wins(tmp_path):
    def write_twice():
        with whole_folder(tmp_path / "out", "") as one, whole_folder(tmp_path / "out", "") as two:
            (one / "late.txt").write_text("new")
            (two / "first.txt").write_text("new")

    with pytest.raises(OSError, match="out"):
        write_twice()
    assert content(tmp_path) == {str(Path("out") / "first.txt"): "new"}


def test_a_full_disk_says_what_was_not_written(tmp_path, monkeypatch):
    for call in range(8):
        with (
            pytest.raises(
                OSError, match=r"the disk is full: .*out(.* was not written| is in .*did not confirm)"
            ) as caught,
            failing_at(monkeypatch, call, OSError(errno.ENOSPC, "No space left on device")),
        ):
            write(tmp_path / str(call) / "out")
        assert caught.value.errno == errno.ENOSPC
        assert ("was not written" in str(caught.value)) != (tmp_path / str(call) / "out").exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc to see what is flushed")
def test_files_are_flushed_then_folders_then_comes_the_rename_then_the_folder_above(tmp_path, monkeypatch):
    calls, flush, rename = [], os.fsync, os.rename

    def flushed(handle):
        calls.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        flush(handle)

    def renamed(source, target, **options):
        calls.append("rename")
        rename(source, target, **options)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "rename", renamed)
    write(tmp_path / "out", partial=tmp_path / "out.tmp")
    assert calls[-3:] == ["out.tmp", "rename", tmp_path.name]
    assert sorted(calls[:-3]) == ["a.txt", "b.txt", "inner"] and calls.index("a.txt") < calls.index("inner")


def test_a_deleted_folder_is_never_there_in_part(tmp_path, monkeypatch):
    write(tmp_path / "out")
    delete, deleted = shutil.rmtree, []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **options: deleted.append(path.name) or delete(path, **options))
    delete_folder(tmp_path / "out")
    assert set(deleted) == {"out.old.tmp"} and list(tmp_path.iterdir()) == []


FILES = {"a.txt": b"new a", "b.txt": b"new b"}


def bytes_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def old(tmp_path):
    """A folder with an older pair of files, and one that is none of ours."""
    folder = tmp_path / "out"
    folder.mkdir()
    for name, data in {"a.txt": b"old a", "b.txt": b"old b", "mine.txt": b"my notes"}.items():
        (folder / name).write_bytes(data)
    return folder


def test_an_update_replaces_files_of_the_same_names_and_keeps_the_others(old, tmp_path):
    old.chmod(0o750)
    update_folder(old, FILES, "")
    assert bytes_in(old) == {**FILES, "mine.txt": b"my notes"}
    assert old.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["new", "empty", "a/b"])
def test_an_update_makes_the_folder_if_need_be(tmp_path, name):
    (tmp_path / "empty").mkdir()
    update_folder(tmp_path / name, FILES, "")
    assert bytes_in(tmp_path / name) == FILES


def test_an_update_keeps_links_and_files_that_may_not_be_written(old):
    (old / "link.txt").symlink_to("gone.txt")
    (old / "mine.txt").chmod(0o400)
    update_folder(old, FILES, "")
    assert str((old / "link.txt").readlink()) == "gone.txt" and (old / "mine.txt").read_bytes() == b"my notes"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes in folders")
def test_an_update_keeps_a_pipe_and_replaces_a_link_that_leads_to_itself(old, tmp_path):
    os.mkfifo(old / "pipe")
    update_folder(old, FILES, "")
    assert (old / "pipe").is_fifo()
    (tmp_path / "loop").symlink_to("loop")
    update_folder(tmp_path / "loop", FILES, "")
    assert bytes_in(tmp_path / "loop") == FILES


def test_where_there_are_no_hard_links_files_are_copied(old, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    update_folder(old, FILES, "")
    assert bytes_in(old) == {**FILES, "mine.txt": b"my notes"}


@pytest.mark.parametrize("swaps", [True, False], ids=["in one step", "in two steps"])
@pytest.mark.parametrize("error", [OSError("broken"), Crash()], ids=repr)
def test_an_update_that_fails_at_any_call_leaves_the_old_files_or_all_new_ones(old, monkeypatch, error, swaps):
    kept = bytes_in(old)
    if not swaps:
        monkeypatch.setattr("minigpt.files.folder.swap_paths", lambda one, other: False)
    for call in range(100):
        shutil.rmtree(old.parent)
        old.mkdir(parents=True)
        for name, data in kept.items():
            (old / name).write_bytes(data)
        try:
            with failing_at(monkeypatch, call, error):
                update_folder(old, FILES, "")
        except type(error):
            assert bytes_in(old) in (kept, {**FILES, "mine.txt": b"my notes"})
            continue
        assert call > 5
        return
    raise AssertionError("the update has no end")


def test_a_folder_that_can_not_be_replaced_as_a_whole_is_refused_and_left_alone(old, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("text")
    for folder, reason in ((old.parent, r"it holds folders \(out\)"), (tmp_path / "file", "it is a file")):
        with pytest.raises(
            ValueError, match=rf"can't be replaced as a whole, since {reason}; give a folder of its own"
        ):
            update_folder(folder, FILES, "")
    monkeypatch.setattr(os.path, "ismount", lambda path: path == old)
    with pytest.raises(ValueError, match="it is a mount point"):
        update_folder(old, FILES, "")
    monkeypatch.undo()
    monkeypatch.chdir(old)
    with pytest.raises(ValueError, match="it is the working folder of this process"):
        update_folder(Path(), FILES, "")
    assert (old / "a.txt").read_bytes() == b"old a"
