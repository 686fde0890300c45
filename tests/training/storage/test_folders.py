import errno
import os
import shutil
import sys
from dataclasses import replace

import pytest

from minigpt.training import load_checkpoint, save_checkpoint
from minigpt.training.storage.folders import checkpoint_folders, new_folder, partial_folder


def test_the_newest_few_are_kept(tmp_path, checkpoint):
    for step in (1, 2, 10, 11):
        save_checkpoint(tmp_path, checkpoint(step), keep=2)
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000010", "step-00000011"]


def test_saving_a_step_anew_replaces_it(tmp_path, checkpoint):
    save_checkpoint(tmp_path, checkpoint(1))
    save_checkpoint(tmp_path, replace(checkpoint(1), optimizer={}))
    assert load_checkpoint(tmp_path).optimizer == {}
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_steps_beyond_eight_digits_are_still_in_order(tmp_path, checkpoint):
    for step in (99_999_999, 100_000_000):
        save_checkpoint(tmp_path, checkpoint(step))
    assert load_checkpoint(tmp_path).step == 100_000_000


def test_a_full_disk_keeps_the_old_checkpoint_and_leaves_no_litter(tmp_path, monkeypatch, checkpoint):
    save_checkpoint(tmp_path, checkpoint(1))

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="the disk is full: step-00000002 was not saved") as caught:
        save_checkpoint(tmp_path, checkpoint(2))
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]
    assert load_checkpoint(tmp_path).step == 1


@pytest.mark.parametrize("keep", [1, 2])
@pytest.mark.parametrize("call", range(13))
def test_a_crash_at_any_write_leaves_a_whole_checkpoint(tmp_path, monkeypatch, call, keep, checkpoint):
    class Crash(BaseException):
        pass

    save_checkpoint(tmp_path, checkpoint(1))
    calls = iter(range(1000))

    def crashing(function):
        def wrapper(*arguments, **options):
            if next(calls) == call:
                raise Crash
            return function(*arguments, **options)

        return wrapper

    with monkeypatch.context() as patch:
        for module, name in ((os, "fsync"), (os, "mkdir"), (os, "rename"), (shutil, "rmtree")):
            patch.setattr(module, name, crashing(getattr(module, name)))
        try:
            save_checkpoint(tmp_path, checkpoint(2), keep=keep)
            survived = True
        except Crash:
            survived = False
    assert survived == (call >= (8 if keep == 2 else 10))  # so many calls does a save make
    assert load_checkpoint(tmp_path).step in ((2,) if survived else (1, 2))
    save_checkpoint(tmp_path, checkpoint(3))
    assert load_checkpoint(tmp_path).step == 3
    assert not list(tmp_path.glob("*.tmp"))


def test_what_crashed_saves_of_other_steps_left_is_deleted_by_the_next_save(tmp_path, checkpoint):
    for name in ("step-00000001.tmp", "step-00000000.old.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"half")
    save_checkpoint(tmp_path, checkpoint(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000002"]


MADE = {
    "a file": lambda path, elsewhere: path.write_text("x"),
    "a link": lambda path, elsewhere: path.symlink_to(elsewhere),
    "a link to nothing": lambda path, elsewhere: path.symlink_to(elsewhere / "missing"),
    "a link to itself": lambda path, elsewhere: path.symlink_to(path.name),
}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("name", ["step-00000003", "step-00000003.tmp", "step-00000001.old.tmp"])
@pytest.mark.parametrize("kind", MADE)
def test_what_is_no_folder_makes_room_for_one_and_what_a_link_leads_to_stays(tmp_path, checkpoint, kind, name):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "checkpoints"
    for step in (1, 2):
        save_checkpoint(folder, checkpoint(step))
    elsewhere.mkdir()
    (elsewhere / "own.txt").write_text("own")
    MADE[kind](folder / name, elsewhere)
    save_checkpoint(folder, checkpoint(3))
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000002", "step-00000003"]
    assert load_checkpoint(folder).step == 3
    assert (elsewhere / "own.txt").read_text() == "own"


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_an_old_checkpoint_that_is_a_link_is_left_where_it_leads_to(tmp_path, checkpoint):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "checkpoints"
    for step in (1, 2):
        save_checkpoint(folder, checkpoint(step))
    (folder / "step-00000001").rename(elsewhere)
    (folder / "step-00000001").symlink_to(elsewhere)
    save_checkpoint(folder, checkpoint(3))
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000002", "step-00000003"]
    assert (elsewhere / "state.json").is_file()


def test_a_new_folder_is_written_where_every_process_expects_it(tmp_path):
    with new_folder(tmp_path, 7, keep=1) as partial:
        assert partial == partial_folder(tmp_path, 7) and partial.is_dir()
        assert checkpoint_folders(tmp_path) == []
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000007"]


def test_files_and_folders_of_other_names_are_no_checkpoints(tmp_path):
    for name in ("step-1", "step-00000001.damaged", "step-00000001.tmp", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "step-00000002").write_bytes(b"a file")
    assert checkpoint_folders(tmp_path) == [] == checkpoint_folders(tmp_path / "missing")
