import pytest

from minigpt.training.storage.run_folder import Resume, RunFolder


def test_a_new_folder_is_made_with_a_place_for_checkpoints(tmp_path):
    folder = RunFolder.open(tmp_path / "a" / "run")
    assert folder.checkpoints.is_dir() and not folder.resumes and folder.log == tmp_path / "a" / "run" / "log.jsonl"


def test_only_one_of_several_processes_makes_it(tmp_path):
    RunFolder.open(tmp_path / "run", writes=False)
    assert not (tmp_path / "run").exists()


def test_what_a_crash_left_behind_is_swept_and_nothing_else(tmp_path):
    folder = RunFolder.open(tmp_path)
    (folder.checkpoints / "step-00000003.tmp").mkdir()
    for name in (".run.json-abc", "notes.json", "run.json"):
        (tmp_path / name).write_text("{}")
    RunFolder.open(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"checkpoints", "notes.json", "run.json"}


@pytest.mark.parametrize(
    ("given", "resume"), [(True, Resume.YES), (False, Resume.NO), ("auto", Resume.AUTO), (Resume.YES, Resume.YES)]
)
def test_whether_to_resume_is_one_of_three(given, resume):
    assert Resume.of(given) is resume


def test_another_word_is_refused():
    with pytest.raises(ValueError, match="resume='always' must be True, False or 'auto'"):
        Resume.of("always")
