import subprocess
import sys

import pytest

from minigpt.files import lock
from minigpt.files.lock import alone_with

ADD = """
import sys
from pathlib import Path
from minigpt.files.atomic import write_atomically
from minigpt.files.lock import alone_with

path = Path(sys.argv[1])
for _ in range(40):
    with alone_with(path):
        n = int(path.read_text()) if path.exists() else 0
        write_atomically(path, str(n + 1).encode())
"""


def test_processes_that_count_in_one_file_lose_nothing(tmp_path):
    path = tmp_path / "deep" / "number"
    runs = [subprocess.Popen([sys.executable, "-c", ADD, str(path)]) for _ in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert path.read_text() == "120"
    assert [each.name for each in path.parent.iterdir()] == ["number"]


def test_who_waits_too_long_is_told(tmp_path):
    path = tmp_path / "board.json"
    with (
        alone_with(path),
        pytest.raises(ValueError, match=r"board\.json is being written by another process"),
        alone_with(path, patience=0.05),
    ):
        pass
    with alone_with(path, patience=0.05):
        pass


def test_a_crash_leaves_nothing_locked(tmp_path):
    path = tmp_path / "board.json"
    with pytest.raises(ZeroDivisionError), alone_with(path):
        raise ZeroDivisionError
    (tmp_path / ".board.json.lock").write_text("of a process that was killed")
    with alone_with(path, patience=0.05):
        pass


def test_where_nothing_can_be_locked_there_is_a_warning(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(95, "no locks here")

    monkeypatch.setattr(lock, "lock_open", refuse)
    with pytest.warns(UserWarning, match=r"can't be locked \(no locks here\)"), alone_with(tmp_path / "board.json"):
        pass


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    (tmp_path / "board.json").mkdir()
    with pytest.raises(ValueError, match=r"board\.json is a folder, expected a plain file"):
        alone_with(tmp_path / "board.json").__enter__()
    assert [each.name for each in tmp_path.iterdir()] == ["board.json"]
