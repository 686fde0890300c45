import errno
import os
import socket
import subprocess
import sys

import pytest

from minigpt.training.storage import lock
from minigpt.training.storage.lock import LOCK_FILE, FolderLock

posix = pytest.mark.skipif(sys.platform == "win32", reason="locks with flock")

# A process that holds the lock, without our code: it takes the lock, says so, and waits for the end of its input.
HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("process 77 on moon", file=file, end="", flush=True)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_lock_is_refused_with_the_process_and_the_machine_of_the_first(tmp_path):
    with FolderLock(tmp_path):
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(ValueError, match=f"{tmp_path} is in use: {holder} is training there; wait for that run"):
            FolderLock(tmp_path)
    with FolderLock(tmp_path):
        pass


def test_a_lock_that_was_released_leaves_no_file_and_may_be_released_again(tmp_path):
    held = FolderLock(tmp_path)
    assert (tmp_path / LOCK_FILE).is_file()
    held.release()
    held.release()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_nobody_refers_to_is_released(tmp_path):
    FolderLock(tmp_path)
    with FolderLock(tmp_path):
        pass


def test_a_file_that_a_crash_left_behind_locks_nothing(tmp_path):
    (tmp_path / LOCK_FILE).write_text("process 1 on moon, and a long tail that must not stay" * 9)
    with FolderLock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == f"process {os.getpid()} on {socket.gethostname()}"


@posix
def test_the_lock_of_another_process_holds_until_it_is_killed(tmp_path):
    words = [sys.executable, "-c", HOLDER, str(tmp_path / LOCK_FILE)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(ValueError, match="is in use: process 77 on moon is training there"):
            FolderLock(tmp_path)
        assert (tmp_path / LOCK_FILE).read_text() == "process 77 on moon"
        holder.kill()
        holder.wait()
        with FolderLock(tmp_path):
            pass


@posix
def test_a_lock_file_that_was_replaced_since_is_left_to_its_run(tmp_path):
    first = FolderLock(tmp_path)
    (tmp_path / LOCK_FILE).unlink()
    with FolderLock(tmp_path):
        first.release()
        with pytest.raises(ValueError, match="is in use"):
            FolderLock(tmp_path)


@posix
def test_a_run_that_ends_between_opening_and_locking_is_waited_for_and_not_mixed_up(tmp_path, monkeypatch):
    path, take = tmp_path / LOCK_FILE, lock.lock_open

    def after_the_end_of_another(handle):
        monkeypatch.setattr(lock, "lock_open", take)
        path.unlink()  # the other run deletes the file that was just opened
        take(handle)

    monkeypatch.setattr(lock, "lock_open", after_the_end_of_another)
    with FolderLock(tmp_path):
        assert path.is_file()
        with pytest.raises(ValueError, match="is in use"):
            FolderLock(tmp_path)


@posix
@pytest.mark.parametrize("reason", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_warned_of_in_one_line(tmp_path, monkeypatch, reason):
    def refuse(handle):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(lock, "lock_open", refuse)
    with pytest.warns(UserWarning, match=r"can't be locked \(.*\): start no second run in it$") as warned:
        held = FolderLock(tmp_path)
    held.release()
    assert len(warned) == 1 and list(tmp_path.iterdir()) == []


@posix
def test_a_link_in_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=f"{LOCK_FILE} is a symbolic link, expected a plain file; move or delete it"):
        FolderLock(tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"
