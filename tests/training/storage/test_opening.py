import pytest

from minigpt.training import save_checkpoint
from minigpt.training.storage.folders import checkpoint_folders
from minigpt.training.storage.opening import open_run_folder, resume_checkpoint, resumes


def test_a_damaged_newer_checkpoint_is_set_aside_and_takes_no_place_among_those_kept(tmp_path, checkpoint):
    for step in (1, 2, 3, 4):
        save_checkpoint(tmp_path, checkpoint(step), keep=4)
    for step in (3, 4):
        (tmp_path / f"step-0000000{step}" / "state.json").unlink()
    with pytest.warns(UserWarning, match="damaged"):
        assert resume_checkpoint(tmp_path).step == 2
    save_checkpoint(tmp_path, checkpoint(3), keep=2)
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000002", "step-00000003"]
    assert sorted(path.name for path in tmp_path.glob("*.damaged")) == [
        "step-00000003.damaged",
        "step-00000004.damaged",
    ]


def test_of_several_processes_only_one_sets_aside(tmp_path, checkpoint):
    for step in (1, 2):
        save_checkpoint(tmp_path, checkpoint(step))
    (tmp_path / "step-00000002" / "state.json").unlink()
    with pytest.warns(UserWarning, match="step-00000002 is damaged"):
        assert resume_checkpoint(tmp_path, writes=False).step == 1
    assert [path.name for path in checkpoint_folders(tmp_path)] == ["step-00000001", "step-00000002"]


def test_a_run_folder_is_opened_and_swept_of_what_a_crash_left(tmp_path):
    (tmp_path / "checkpoints" / "step-00000003.tmp").mkdir(parents=True)
    (tmp_path / ".run.json-abc").write_bytes(b"half")
    assert open_run_folder(tmp_path, resume=False) == tmp_path / "checkpoints"
    assert [path.name for path in tmp_path.rglob("*")] == ["checkpoints"]


def test_a_run_folder_that_holds_a_run_is_opened_only_to_resume(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "checkpoints", checkpoint(3))
    with pytest.raises(ValueError, match="already holds a run, up to step-00000003; go on with it by resume=True"):
        open_run_folder(tmp_path, resume=False)
    assert open_run_folder(tmp_path, resume=True) == tmp_path / "checkpoints"


@pytest.mark.parametrize("saved", [False, True])
def test_auto_resumes_where_there_is_a_checkpoint(tmp_path, saved, checkpoint):
    if saved:
        save_checkpoint(tmp_path / "checkpoints", checkpoint(3))
    assert resumes(tmp_path, "auto") == saved
    assert resumes(tmp_path, True) and not resumes(tmp_path, False)
    with pytest.raises(ValueError, match="resume='yes' must be True, False or 'auto'"):
        resumes(tmp_path, "yes")
