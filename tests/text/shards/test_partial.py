import pytest

from minigpt.text.shards import preparation
from minigpt.text.shards.partial import only_writer
from minigpt.text.shards.preparation import prepare
from minigpt.text.tokenizers.characters import CharTokenizer

LINES = "a line of text\n" * 20


def test_what_a_killed_process_left_is_deleted_by_the_next(tmp_path):
    """A lock file that nobody holds any more, and shards."""
    (tmp_path / ".out.lock").touch()
    (tmp_path / ".out.partial" / "train").mkdir(parents=True)
    (tmp_path / ".out.partial" / "train" / "00007.bin").write_bytes(bytes(10))
    (tmp_path / "a.txt").write_text(LINES)
    prepare(tmp_path / "a.txt", CharTokenizer.train(LINES), tmp_path / "out", workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out"]
    assert not (tmp_path / "out" / "train" / "00007.bin").exists()


def test_a_folder_that_another_process_writes_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text(LINES)
    with only_writer(tmp_path / "out") as partial:
        partial.mkdir()
        with pytest.raises(ValueError, match="out is being written by another process; wait for it, or choose"):
            prepare(tmp_path / "a.txt", CharTokenizer.train(LINES), tmp_path / "out", workers=1)
        assert partial.is_dir()
        partial.rmdir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]


def test_a_failure_releases_the_folder(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text(LINES)
    monkeypatch.setattr(preparation, "encoded", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prepare(tmp_path / "a.txt", CharTokenizer.train(LINES), tmp_path / "out", workers=1)
    monkeypatch.undo()
    prepare(tmp_path / "a.txt", CharTokenizer.train(LINES), tmp_path / "out", workers=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "out"]


def test_two_folders_are_written_at_once(tmp_path):
    with only_writer(tmp_path / "one") as one, only_writer(tmp_path / "two") as two:
        assert one != two
