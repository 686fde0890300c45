import errno
import os
import subprocess
import sys
import threading

import pytest

from minigpt.text.datasets.documents import read_documents
from minigpt.text.reading import TextFiles, read_text, read_texts, split_text, split_texts, text_files

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes, links and commands")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match="holds no text; give a file that has some"):
        read_text(tmp_path / "a.txt")


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist; give the path"):
        read_text(tmp_path / "nowhere.txt")


def test_a_folder_is_read_in_the_order_of_paths_without_other_files(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("first")
    (tmp_path / "sub" / "c.txt").write_text("third")
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    assert read_text(tmp_path) == "first\n\nsecond\n\nthird"


def test_a_folder_without_text_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"has no file ending in \.txt"):
        text_files(tmp_path)


def test_hidden_files_and_what_archives_add_are_not_read(tmp_path):
    for name in ("a.txt", ".a.txt", ".ipynb_checkpoints/a.txt", "__MACOSX/._a.txt", "sub/.git/a.txt", "sub/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode() if "_a" not in name else b"\xff\xfe\0")
    assert read_text(tmp_path) == "a.txt\n\nsub/b.txt"


def test_a_folder_that_is_hidden_itself_is_read(tmp_path):
    (tmp_path / ".mine").mkdir()
    (tmp_path / ".mine" / "a.txt").write_text("mine")
    assert read_text(tmp_path / ".mine") == "mine"


@posix
def test_a_file_with_several_names_is_read_once(tmp_path):
    (tmp_path / "b.txt").write_text("once")
    (tmp_path / "c.txt").symlink_to(tmp_path / "b.txt")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert read_text(tmp_path) == "once"


def test_a_glob_chooses_other_files(tmp_path):
    for name in ("a.txt", "b.py", "sub/c.py", ".hidden/d.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert read_text(tmp_path, "*.py") == "b.py\n\nsub/c.py"
    with pytest.raises(ValueError, match=r"has no file of the pattern '\*\.csv'"):
        text_files(tmp_path, "*.csv")


@pytest.mark.parametrize("glob", ["", "/etc/*", "."])
def test_a_glob_that_is_no_pattern_is_refused(tmp_path, glob):
    with pytest.raises(ValueError, match="pattern"):
        text_files(tmp_path, glob)


@pytest.fixture
def pipe(tmp_path):
    """A pipe that a text is written into once, as a shell's ``<(…)``."""
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(b"from a pipe\r\n",), daemon=True)
    thread.start()
    yield tmp_path / "pipe"
    thread.join(10)


@posix
def test_a_pipe_is_read(pipe):
    assert read_text(pipe) == "from a pipe\n"


@posix
def test_a_pipe_can_be_opened_again_for_as_long_as_it_takes(pipe):
    with TextFiles(pipe).on_disk() as (file,):
        assert read_text(file) == read_text(file) == "from a pipe\n"
    assert not file.exists()


@posix
def test_a_device_is_refused_before_it_is_read():
    with pytest.raises(ValueError, match=r"is the terminal or another device; .* pipe a text into /dev/stdin"):
        read_text("/dev/zero")


@pytest.mark.parametrize("read", [read_text, read_texts, read_documents])
def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch, read):
    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))  # as /proc/self/mem does, without the name of the file

    (tmp_path / "a.txt").write_text("a")
    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    with pytest.raises(ValueError, match=r"a\.txt can't be read: Input/output error; give a text file"):
        read(tmp_path / "a.txt")


def test_the_two_parts_of_a_text_are_the_text():
    train, validation = split_text("0123456789", 0.3)
    assert (train, validation) == ("0123456", "789")


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_part_of_a_text_is_empty(fraction):
    assert all(split_text("ab", fraction))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_validation_fraction_outside_0_and_1_is_refused(fraction):
    with pytest.raises(ValueError, match=r"validation_fraction=.* must lie between 0 and 1; try 0\.1"):
        split_text("some text", fraction)


def test_a_validation_fraction_in_percent_is_answered_with_the_fraction():
    with pytest.raises(ValueError, match=r"validation_fraction=10 must lie between 0 and 1; did you mean 0\.1\?"):
        split_text("some text", 10)


def test_a_text_of_one_character_cannot_be_cut():
    with pytest.raises(ValueError, match="a text of 1 character cannot be cut in two"):
        split_text("x")


@pytest.mark.parametrize("fraction", [i / 23 for i in range(1, 23)])
def test_several_texts_are_cut_where_their_joined_text_is(fraction):
    texts = ["first text", "", "second", "third"]
    train, validation = split_texts(texts, fraction)
    joined = split_text("\n\n".join(texts), fraction)
    assert "".join(train + validation) == "".join(texts)
    assert "".join(train) == joined[0].replace("\n", "")
    assert len(train) + len(validation) == len(texts) + 1


def test_one_text_is_cut_as_ever():
    assert split_texts(["0123456789"], 0.3) == (["0123456"], ["789"])


def test_the_texts_of_a_folder_are_those_of_its_files(tmp_path):
    for name in ("b.txt", "a.txt", "c.txt"):
        (tmp_path / name).write_text(name if name != "b.txt" else "")
    assert read_texts(tmp_path) == ["a.txt", "", "c.txt"]
    (tmp_path / "a.txt").write_text(" ")
    (tmp_path / "c.txt").write_text("\n")
    with pytest.raises(ValueError, match="holds no text"):
        read_texts(tmp_path)


@posix
def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr("minigpt.text.reading.SECONDS_TO_BEGIN", 0.1)
    os.mkfifo(tmp_path / "pipe")
    for read in (read_text, lambda path: list(TextFiles(path).on_disk().__enter__())):
        with pytest.raises(ValueError, match=r"nothing was written to the pipe .* for 0.1 s"):
            read(tmp_path / "pipe")


@posix
def test_a_pipe_whose_writer_begins_late_and_pauses_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    program = "import sys, time; time.sleep(0.2); f = open(sys.argv[1], 'w'); f.write('a' * 99999); f.flush(); "
    with subprocess.Popen([sys.executable, "-c", f"{program}time.sleep(0.2); f.write('b')", tmp_path / "pipe"]):
        assert read_text(tmp_path / "pipe") == "a" * 99999 + "b"
