import os
import sys

import pytest

from minigpt.training import save_checkpoint
from minigpt.training.storage.folders import checkpoint_folders
from minigpt.training.storage.run_folder import Resume, RunFolder


def resumes(path, resume):
    with RunFolder.open(path, resume) as folder:
        return folder.resumes


def test_a_new_folder_is_made_with_a_place_for_checkpoints(tmp_path):
    folder = RunFolder.open(tmp_path / "a" / "run")
    assert folder.checkpoints.is_dir() and not folder.resumes and folder.log == tmp_path / "a" / "run" / "log.jsonl"


def test_only_one_of_several_processes_makes_it(tmp_path):
    RunFolder.open(tmp_path / "run", writes=False)
    assert not (tmp_path / "run").exists()


def test_what_a_crash_left_behind_is_swept_and_nothing_else(tmp_path):
    (tmp_path / "checkpoints" / "step-00000003.tmp").mkdir(parents=True)
    for name in (".run.json-abc", ".loss.png-abc", "notes.json", "run.json"):
        (tmp_path / name).write_text("{}")
    with RunFolder.open(tmp_path):
        pass
    assert {path.name for path in tmp_path.rglob("*")} == {"checkpoints", "notes.json", "run.json"}


@pytest.mark.parametrize(
    ("given", "resume"), [(True, Resume.YES), (False, Resume.NO), ("auto", Resume.AUTO), (Resume.YES, Resume.YES)]
)
def test_whether_to_resume_is_one_of_three(given, resume):
    assert Resume.of(given) is resume


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="resume='always' must be True, False or 'auto'"):
        Resume.of("always")


def test_a_damaged_newer_checkpoint_is_set_aside_and_takes_no_place_among_those_kept(tmp_path, checkpoint):
    folder = RunFolder.open(tmp_path)
    for step in (1, 2, 3, 4):
        save_checkpoint(folder.checkpoints, checkpoint(step), keep=4)
    for step in (3, 4):
        (folder.checkpoints / f"step-0000000{step}" / "state.json").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert folder.newest().step == 2
    save_checkpoint(folder.checkpoints, checkpoint(3), keep=2)
    assert [path.name for path in checkpoint_folders(folder.checkpoints)] == ["step-00000002", "step-00000003"]
    assert sorted(path.name for path in folder.checkpoints.glob("*.damaged")) == [
        "step-00000003.damaged",
        "step-00000004.damaged",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("target", [None, "own", "missing"])
def test_what_is_in_the_place_of_one_that_is_set_aside_is_replaced(tmp_path, checkpoint, target):
    folder, own = RunFolder.open(tmp_path / "out"), tmp_path / "own"
    own.mkdir()
    for step in (1, 2):
        save_checkpoint(folder.checkpoints, checkpoint(step))
    (folder.checkpoints / "step-00000002" / "state.json").unlink()
    aside = folder.checkpoints / "step-00000002.damaged"
    aside.write_text("x") if target is None else aside.symlink_to(tmp_path / target)
    with pytest.warns(UserWarning, match="damaged"):
        assert folder.newest().step == 1
    assert (aside / "MANIFEST.json").is_file() and not aside.is_symlink() and list(own.iterdir()) == []


def test_of_several_processes_only_one_sets_aside(tmp_path, checkpoint):
    folder = RunFolder.open(tmp_path, writes=False)
    for step in (1, 2):
        save_checkpoint(folder.checkpoints, checkpoint(step))
    (folder.checkpoints / "step-00000002" / "state.json").unlink()
    with pytest.warns(UserWarning, match="step-00000002 is damaged"):
        assert folder.newest().step == 1
    assert [path.name for path in checkpoint_folders(folder.checkpoints)] == ["step-00000001", "step-00000002"]


def test_a_folder_that_holds_a_run_is_opened_only_to_resume(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "checkpoints", checkpoint(3))
    with pytest.raises(ValueError, match=r"already holds a run, up to step-00000003; continue it with resume=True"):
        RunFolder.open(tmp_path)
    assert resumes(tmp_path, "auto") and resumes(tmp_path, True)


@pytest.mark.parametrize("resume", Resume)
def test_beside_a_living_run_the_folder_is_not_opened_and_nothing_of_it_is_swept(tmp_path, resume, checkpoint):
    with RunFolder.open(tmp_path) as living:
        save_checkpoint(living.checkpoints, checkpoint(3))
        unfinished = living.checkpoints / "step-00000006.tmp"
        unfinished.mkdir()
        with pytest.raises(ValueError, match=rf"is in use: process {os.getpid()} on .* is training there; wait for"):
            RunFolder.open(tmp_path, resume)
        assert unfinished.is_dir()
    assert resumes(tmp_path, "auto") and not unfinished.exists()


def test_a_folder_that_is_refused_is_not_left_locked(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "checkpoints", checkpoint(3))
    with pytest.raises(ValueError, match="already holds a run") as refused:
        RunFolder.open(tmp_path)
    with RunFolder.open(tmp_path, "auto") as folder:
        assert folder.resumes and refused is not None


def test_of_several_processes_only_the_one_that_writes_takes_the_lock(tmp_path):
    with RunFolder.open(tmp_path), RunFolder.open(tmp_path, writes=False) as other:
        assert other.lock is None


@pytest.mark.parametrize("gone", ["moved", "deleted", "replaced"])
def test_a_folder_that_is_gone_is_noticed(tmp_path, gone):
    with RunFolder.open(tmp_path / "run") as folder:
        folder.check_present()
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        if gone == "deleted":
            (tmp_path / "run").mkdir()
        if gone == "replaced":
            (tmp_path / "run" / "checkpoints").mkdir(parents=True)
        with pytest.raises(OSError, match="run is gone: it was moved or deleted while the run was training"):
            folder.check_present()


def test_a_folder_that_is_put_back_is_the_same(tmp_path):
    with RunFolder.open(tmp_path / "run") as folder:
        (tmp_path / "run").rename(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").rename(tmp_path / "run")
        folder.check_present()


def make_folder(path):
    (path / "inside").mkdir(parents=True)


def make_pipe(path):
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


def make_link(path):
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(path.parent / "nowhere")


def make_file(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes and links")
@pytest.mark.parametrize("resume", ["no", "auto"])
@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        *((name, make_folder, "is a folder") for name in ("log.jsonl", "run.json", "data.json", "run.lock")),
        *((name, make_pipe, "is a pipe or a device") for name in ("log.jsonl", "run.json", "data.json", "run.lock")),
        ("run.lock", make_link, "is a symbolic link"),
        ("checkpoints", make_file, "is a file"),
        ("checkpoints", make_link, "is a symbolic link to nothing"),
    ],
)
def test_what_is_in_the_place_of_a_part_of_the_run_is_one_error_and_stays(tmp_path, name, make, message, resume):
    place = tmp_path / "run" / name
    make(place)
    with pytest.raises(ValueError, match=rf"run/{name} {message}, expected a .*; move or delete it and try again$"):
        RunFolder.open(tmp_path / "run", resume)
    assert [path.name for path in (tmp_path / "run").iterdir() if path.name != "checkpoints"] in ([], [name])
    assert place.is_symlink() or place.exists()


def test_a_file_in_the_place_of_the_folder_is_one_error(tmp_path):
    make_file(tmp_path / "run")
    with pytest.raises(ValueError, match="run is a file, expected a folder; move or delete it and try again"):
        RunFolder.open(tmp_path / "run")


def test_checkpoints_may_be_on_another_disk(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "large")
    with RunFolder.open(tmp_path / "run") as folder:
        folder.check_present()


def test_auto_starts_a_run_where_there_is_none(tmp_path):
    assert not resumes(tmp_path, "auto")
