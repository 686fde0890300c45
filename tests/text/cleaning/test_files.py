import json
import os
import signal
import sys

import pytest

from minigpt.cli import main
from minigpt.text.cleaning import ExactDuplicates, clean_files
from minigpt.text.reading import TextFiles

GOOD = (
    "The model reads the text, and predicts the next word.\nIt is trained on many documents, each of them new to it.\n"
)
OTHER = (
    "A duplicate adds nothing that could be learned,\nand costs as much time in training as any other document does.\n"
)


@pytest.fixture
def source(tmp_path):
    files = {"a.txt": GOOD, "b/c.md": OTHER, "b/copy.txt": GOOD.upper(), "short.txt": "Hello.", "other.py": "x = 1"}
    for name, text in files.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return tmp_path / "source"


def written(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_files_that_stay_are_copied_and_the_others_are_listed(source, tmp_path):
    report = clean_files(source, tmp_path / "new" / "out")
    out = tmp_path / "new" / "out"
    assert written(out) == {"a.txt", "b/c.md", "report.json", "removed.jsonl"}
    assert (out / "a.txt").read_bytes() == GOOD.encode() and (out / "b" / "c.md").read_bytes() == OTHER.encode()
    removed = [json.loads(line) for line in (out / "removed.jsonl").read_text("utf-8").splitlines()]
    assert [(each["document"], each["reason"], each["detail"]) for each in removed] == [
        ("b/copy.txt", "exact copy", "the text of a.txt"),
        ("short.txt", "few words", "number of words 1, below 20"),
    ]
    found = json.loads((out / "report.json").read_text("utf-8"))
    assert found == json.loads(json.dumps(report.as_json()))
    assert (found["documents"], found["kept"], found["removed"]) == (4, 2, {"exact copy": 1, "few words": 1})


def test_a_file_of_several_documents_keeps_those_that_stay(tmp_path):
    end = "<|endoftext|>"
    (tmp_path / "all.txt").write_text(f"{GOOD}{end}{OTHER}{end}\n{end}{GOOD}{end}中文{end}", "utf-8")
    report = clean_files(tmp_path / "all.txt", tmp_path / "out", separator=end)
    assert (tmp_path / "out" / "all.txt").read_text("utf-8") == GOOD + end + OTHER
    assert report.n_documents == 4
    assert report.examples["exact copy"][0].detail == "the text of all.txt#0"
    assert report.examples["few words"][0].document == "all.txt#4"


def test_files_of_another_pattern_and_several_sources_are_read(source, tmp_path):
    clean_files(TextFiles(source, "*.py"), tmp_path / "out", [ExactDuplicates()])
    assert written(tmp_path / "out") == {"other.py", "report.json", "removed.jsonl"}
    clean_files(TextFiles([source / "b", source / "a.txt"]), tmp_path / "two", [ExactDuplicates()])
    assert written(tmp_path / "two") == {"c.md", "copy.txt", "report.json", "removed.jsonl"}


def test_two_files_of_one_name_are_refused(source, tmp_path):
    (source / "b" / "a.txt").write_text(OTHER)
    for paths, glob, name in (([source / "b", source / "a.txt"], None, "a.txt"), (source, "*.json*", "report.json")):
        (source / "report.json").write_text("{}")
        with pytest.raises(ValueError, match=rf"would get one name, {name}; rename one of them"):
            clean_files(TextFiles(paths, glob), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten(source, tmp_path):
    (tmp_path / "out").mkdir()
    clean_files(source, tmp_path / "out")
    before = (tmp_path / "out" / "report.json").read_bytes()
    with pytest.raises(ValueError, match=r"out is not empty; choose another folder, or remove it first"):
        clean_files(source, tmp_path / "out", [ExactDuplicates()])
    assert (tmp_path / "out" / "report.json").read_bytes() == before


def test_a_cleaning_that_keeps_nothing_or_fails_writes_nothing(source, tmp_path):
    (source / "a.txt").unlink()
    (source / "b" / "copy.txt").unlink()
    (source / "b" / "c.md").write_text("Short.")
    with pytest.raises(ValueError, match=r"no document stays, so .*out was not written:\n2 documents, 0 of them kept"):
        clean_files(source, tmp_path / "out")
    (source / "z.txt").write_bytes(b"\xff\xff not UTF-8")
    with pytest.raises(ValueError, match=r"z\.txt"):
        clean_files(source, tmp_path / "out")
    with pytest.raises(ValueError, match="separator='' cuts a text nowhere"):
        clean_files(source, tmp_path / "out", separator="")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


class Kill:
    """A stage in which the process is killed at its second document."""

    def __init__(self):
        self.n_seen = 0

    def removal(self, name, text):
        self.n_seen += 1
        if self.n_seen == 2:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks a process that has loaded PyTorch")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_killed_cleaning_leaves_no_folder_and_the_next_one_is_whole(source, tmp_path):
    if not (child := os.fork()):
        clean_files(source, tmp_path / "out", [Kill()])
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.partial" / "removed.jsonl").exists()
    clean_files(source, tmp_path / "out")
    assert written(tmp_path / "out") == {"a.txt", "b/c.md", "report.json", "removed.jsonl"}
    assert {path.name for path in tmp_path.iterdir()} == {"source", "out"}


def test_the_command_writes_the_folder_and_names_the_next_one(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    main(["clean", "source", "--out", "out"])
    printed = capsys.readouterr().out
    assert "4 documents, 2 of them kept" in printed and "1 (25.0%) exact copy" in printed
    assert printed.splitlines()[-1] == "next: minigpt prepare out --out data/out"
    main(["clean", "source", "--out", "all", "--min-words", "1", "--similarity", "1"])
    assert "short.txt" in written(tmp_path / "all") and "b/copy.txt" not in written(tmp_path / "all")
    main(["clean", "source", "--out", "py", "--glob", "*.py", "--separator", "<|endoftext|>", "--duplicates-only"])
    assert written(tmp_path / "py") == {"other.py", "report.json", "removed.jsonl"}
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "next: minigpt prepare py --glob '*.py' --special-tokens --out data/py"


def test_the_command_says_what_is_wrong_in_a_line(source, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(SystemExit, match="2"):
        main(["clean", str(source), "--out", str(tmp_path / "out")])
    assert "is not empty; choose another folder" in capsys.readouterr().err


def test_a_folder_inside_the_source_is_refused(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = written(tmp_path)
    for out in ("source/sub", "source", "source/b/../c/d"):
        with pytest.raises(SystemExit, match="2"):
            main(["clean", "source", "--out", out])
        said = capsys.readouterr().err
        assert said == f"minigpt: {out} lies in source, the texts to clean; choose a folder outside it\n"
    assert written(tmp_path) == before
    main(["clean", "source/a.txt", "--out", "source/sub", "--min-words", "1"])  # a file holds no folder


def test_one_file_is_one_document_and_the_report_names_the_separator(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.txt").write_text(GOOD)
    main(["clean", "my.txt", "--out", "one", "--duplicates-only"])
    printed = capsys.readouterr().out
    assert printed.startswith("1 document, 1 of them kept; ") and "--separator '<|endoftext|>'" in printed
    main(["clean", "my.txt", "--out", "two", "--duplicates-only", "--separator", "<|endoftext|>"])
    main(["clean", "source", "--out", "three", "--duplicates-only"])
    assert "if it holds several" not in capsys.readouterr().out


def test_a_separator_that_is_no_text_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match="separator=5 must be a text"):
        clean_files(source, tmp_path / "out", separator=5)


@pytest.mark.skipif(sys.platform != "linux", reason="a name may be any bytes on Linux alone")
def test_a_file_name_that_is_not_utf_8_is_refused(source, tmp_path):
    (source / os.fsdecode(b"caf\xe9.txt")).write_text("A text.", "utf-8")
    with pytest.raises(ValueError, match=r"caf\\udce9\.txt' is not UTF-8"):
        clean_files(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()
