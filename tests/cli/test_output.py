"""Streams that can't show every character, or that nobody reads, end no command."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_runs import SMALL, TEXTS, no_plot, printed_by

import minigpt as mg
from minigpt.cli import main
from minigpt.cli.output import LastingStream, as_json, message_of, save_picture
from minigpt.cli.text import grouped
from minigpt.training import History

CHINESE = TEXTS["verse"] + "naïve × ÷ – … 🙂\n" * 20
NARROW = pytest.mark.parametrize("encoding", ["ascii", "cp1252"])


@pytest.fixture
def streams(monkeypatch):
    """Puts streams of an encoding in the place of stdout and stderr; a function that runs a command and reads them."""

    def run(encoding, words):
        both = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", both[0])
            patch.setattr(sys, "stderr", both[1])
            try:
                main(words)
                status = 0
            except SystemExit as ended:
                status = ended.code
            both[1].flush()
        return status, *(stream.buffer.getvalue() for stream in both)

    return run


@pytest.fixture
def chinese(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(History, "plot", no_plot)
    (tmp_path / "诗.txt").write_text(CHINESE, encoding="utf-8")
    return tmp_path


TRAIN = ["train", "--text", "诗.txt", "--steps", "2", "--batch-size", "2", *SMALL]


def escaped(printed, encoding):
    return printed.decode().encode(encoding, "backslashreplace")


@NARROW
def test_a_training_ends_as_it_does_elsewhere_and_so_do_the_commands_after_it(encoding, streams, chinese):
    commands = [
        ["sample", "runs/default", "--max-new-tokens", "20", "--seed", "0"],
        ["info", "runs/default"],
        ["tokenizer", "--text", "诗.txt", "--vocab-size", "300", "--out", "t.json", "--force"],
        ["equations", "softmax", "rotary"],
        ["sample", "runs/default", "--prompt", "龍", "--seed", "0"],
        ["train", "--text", "没有.txt"],
    ]
    assert streams(encoding, TRAIN)[0] == 0
    printed = streams(encoding, ["runs"])[1]
    assert b"default" in printed and escaped("诗.txt".encode(), encoding) in printed
    for words in commands:
        status, out, error = streams(encoding, words)
        expected_status, expected_out, expected_error = streams("utf-8", words)
        assert (status, out) == (expected_status, escaped(expected_out, encoding)), words
        assert error == escaped(expected_error, encoding), words
        assert words[0] == "equations" or not (expected_out + expected_error).isascii()  # else this shows nothing


@NARROW
def test_what_a_training_prints_loses_nothing_but_a_prompt_that_cannot_be_shown(encoding, streams, chinese):
    _, out, _ = streams(encoding, [*TRAIN, "--out", "runs/one"])
    _, expected, _ = streams("utf-8", [*TRAIN, "--out", "runs/two"])
    out, expected = (re.sub(rb", \d\d:\d\d left", b"", printed) for printed in (out, expected))
    expected = escaped(expected, encoding).replace(b"runs/two", b"runs/one")
    *lines, last = expected.splitlines()
    command, prompt = last.split(b" --prompt ")
    assert out.splitlines() == [*lines, command if b"\\" in prompt else last]


@NARROW
def test_json_stays_json(encoding, streams, chinese):
    name = "诗 é 🙂.txt"  # escaped as Python does it, the last two would be no JSON
    (chinese / name).write_text(CHINESE, encoding="utf-8")
    main([name if word == "诗.txt" else word for word in TRAIN])
    _, out, _ = streams(encoding, ["info", "runs/default", "--json"])
    assert Path(json.loads(out.decode(encoding))["source"]["text"]).name == name and b"\\u8bd7" in out
    assert name in streams("utf-8", ["info", "runs/default", "--json"])[1].decode()


def test_json_escapes_where_it_is_asked_to():
    assert json.loads(as_json({"é": "\udcff"}, ascii_only=True)) == {"é": "\udcff"}
    assert as_json("é") == '"é"' and as_json("é", ascii_only=True) == '"\\u00e9"'


def test_a_real_process_with_such_a_stream_prints_every_line(tmp_path):
    (tmp_path / "t.txt").write_text(CHINESE, encoding="utf-8")
    words = ["tokenizer", "--text", "t.txt", "--vocab-size", "280", "--show", "床前 naïve"]
    done = subprocess.run(
        [sys.executable, "-m", "minigpt", *words],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 2 and b"280 tokens" in done.stdout


@pytest.fixture
def unread():
    """A stream whose reader has left, line-buffered as a terminal's is."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", buffering=1, encoding="utf-8")
    yield stream
    stream.close()


def trained(folder):
    return [path.name for path in (folder / "checkpoints").iterdir()]


def test_a_training_whose_output_nobody_reads_goes_on_and_saves(unread, chinese, monkeypatch):
    monkeypatch.setattr(sys, "stdout", unread)
    main([*TRAIN, "--out", "runs/one"])
    assert trained(chinese / "runs" / "one") == ["step-00000002"]
    assert len((chinese / "runs/one/log.jsonl").read_text().splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
@pytest.mark.parametrize("buffering", [1, -1])
def test_a_training_whose_output_has_no_room_goes_on_and_saves(monkeypatch, chinese, buffering):
    with Path("/dev/full").open("w", buffering=buffering, encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        main([*TRAIN, "--out", "runs/one"])
        monkeypatch.undo()
    assert trained(chinese / "runs" / "one") == ["step-00000002"]


def test_a_training_without_any_stdout_goes_on_and_saves(monkeypatch, chinese):
    monkeypatch.setattr(sys, "stdout", None)
    main([*TRAIN, "--out", "runs/one"])
    assert trained(chinese / "runs" / "one") == ["step-00000002"]
    assert sys.stdout is None


def test_a_sample_whose_reader_leaves_ends_quietly(unread, tiny_run, capsys, monkeypatch):
    out = str(tiny_run("names").out)
    monkeypatch.setattr(sys, "stdout", unread)
    main(["sample", out, "--seed", "0"])
    assert capsys.readouterr().err == ""


def test_a_reader_gets_each_line_of_a_training_when_it_is_printed(monkeypatch, chinese):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    seen = []
    monkeypatch.setattr("minigpt.runs.Run.train", lambda self, folder: seen.append(raw.getvalue().decode()))
    monkeypatch.setattr("minigpt.cli.train._finish", lambda run: None)
    main(TRAIN)
    assert seen[0].splitlines()[0].startswith("text:") and seen[0].splitlines()[-1].startswith("goal:")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk here that is always full")
def test_what_only_prints_fails_where_there_is_no_room(monkeypatch, capsys):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit) as ended:
            main(["--version"])
    assert ended.value.code == 2 and "the disk is full" in capsys.readouterr().err


def test_a_lasting_stream_is_the_stream_in_all_else():
    stream = LastingStream(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert stream.write("abc") == 3 and stream.encoding == "ascii" and not stream.isatty()
    stream.flush()
    assert stream.buffer.getvalue() == b"abc"


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="nothing here would end it")
@pytest.mark.parametrize(("columns", "command"), [("1", "sample"), ("5", "train")])
def test_help_ends_however_narrow_the_terminal_is(columns, command, monkeypatch):
    def too_long(number, frame):
        raise AssertionError("the help does not end")

    monkeypatch.setenv("COLUMNS", columns)
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(60)
    try:
        with pytest.raises(SystemExit):
            printed_by([command, "--help"])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert os.environ["COLUMNS"] == columns


def test_a_number_agrees_with_its_noun(capsys):
    main(["equations", "softmax"])
    assert "\n1 equation, equal to its function within" in capsys.readouterr().out


def test_a_tokenizer_shows_bytes_and_blanks_escaped_once(tmp_path, capsys):
    (tmp_path / "t.txt").write_text("the cat ä\n" * 20, encoding="utf-8")
    words = ["--vocab-size", "262", "--out", str(tmp_path / "t.json"), "--show", "你\t\\ä"]
    main(["tokenizer", "--text", str(tmp_path / "t.txt"), *words])
    assert capsys.readouterr().out.splitlines()[1] == r"你 = \xe4 + \xbd + \xa0 | \t | \ | ä"


@pytest.mark.parametrize(
    ("pieces", "groups"),
    [
        ([b"the", b" cat"], [[b"the"], [b" cat"]]),
        ([b" \xe4", b"\xbd", b"\xa0\xe5", b"\xa5\xbd", b"!"], [[b" \xe4", b"\xbd", b"\xa0\xe5", b"\xa5\xbd"], [b"!"]]),
        ([b"\xe4", b"a", b"\xe4\xbd"], [[b"\xe4"], [b"a"], [b"\xe4\xbd"]]),
        ([b"\xff", "é".encode()], [[b"\xff"], ["é".encode()]]),
    ],
)
def test_tokens_of_one_character_are_together_and_bytes_that_are_no_text_are_alone(pieces, groups):
    assert list(grouped(pieces)) == groups


def test_a_chinese_sentence_is_shown_as_text_whatever_the_tokenizer_learnt_from(tmp_path, capsys):
    (tmp_path / "t.txt").write_text("the cat sat on the mat\n" * 20, encoding="utf-8")
    main(["tokenizer", "--text", str(tmp_path / "t.txt"), "--vocab-size", "262", "--out", str(tmp_path / "t.json")])
    shown = capsys.readouterr().out.splitlines()[1].split(" | ")
    assert [piece[0] for piece in shown if " = " in piece] == list("你好，世界")


@pytest.mark.parametrize(("asked", "said"), [("257", "257 tokens; "), ("400", " of 400: no pair is left to merge; ")])
def test_a_vocabulary_smaller_than_asked_for_is_said(tmp_path, capsys, asked, said):
    (tmp_path / "t.txt").write_text("the cat\n" * 9)
    main(["tokenizer", "--text", str(tmp_path / "t.txt"), "--vocab-size", asked, "--out", str(tmp_path / "t.json")])
    printed = capsys.readouterr().out
    assert said in printed and ("no pair" in printed) == (asked == "400")


def test_minigpt_alone_shows_its_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 0 and "sample" in capsys.readouterr().out
    assert mg.__version__


def test_a_picture_that_does_not_fit_leaves_the_one_that_was_there_and_is_warned_of(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def plot():
        return SimpleNamespace(savefig=lambda file, format: file.write(format.encode()))

    path = tmp_path / "curve.svg"
    assert save_picture(plot, path, kept="all is kept") == str(path) and path.read_bytes() == b"svg"
    path.write_bytes(b"earlier")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match=r"curve\.svg was not written \(the disk is full\); all is kept$"):
        assert save_picture(plot, path, kept="all is kept") == "not written: the disk is full"
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"earlier"]


def test_a_folder_in_the_place_of_the_picture_is_told_and_the_rest_stays(tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    with pytest.warns(UserWarning, match=r"is a folder, expected a plain file.*all is kept"):
        told = save_picture(Figure, tmp_path, kept="all is kept")
    assert told.startswith("not written: ") and "is a folder" in told


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "runs/a"),
            "runs/a: Permission denied; choose a place",
        ),
        (OSError(errno.EROFS, os.strerror(errno.EROFS), "runs"), "runs: Read-only file system; choose a folder"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "the disk is full; make room"),
        (OSError(errno.ENOSPC, "the disk is full: step 3 is lost"), "the disk is full: step 3 is lost; make room"),
        (
            OSError(errno.EFBIG, os.strerror(errno.EFBIG)),
            "File too large for this disk or for the limit of `ulimit -f`;",
        ),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a"), "a: No such file or directory"),
        (OSError("of our own"), "of our own"),
        (ValueError("d_model"), "d_model"),
    ],
)
def test_an_error_of_the_system_is_told_in_words_and_what_to_do(error, words):
    told = message_of(error)
    assert told.startswith(words) and "Errno" not in told
