"""`minigpt learn` and `minigpt check`: the path, stubs, verdicts, progress, watching, and a table for a class."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from minigpt.cli import main
from minigpt.learn import answers, exercises, progress
from minigpt.learn.exercises.exercise import Exercise, Misconception, Words


def _words(text):
    return Words(text, f"中文 {text}")


DOUBLE = Exercise(
    name="double",
    level=1,
    stage=_words("Arithmetic"),
    task=_words("Double each number."),
    arguments={"x": "(N,) float32"},
    result="(N,)",
    latex="y_i = 2 x_i",
    equations=(),
    page="notebooks/01-language-models",
    term="2",
    draw=lambda d: (d.normal(d.size(2, 4)),),
    expected=lambda x: 2 * x.double().numpy(),
    misconceptions=(Misconception("double.squared", "wrong-operand", _words("You squared."), lambda x: x * x),),
    solutions=(lambda x: 2 * x,),
)
HALVE = Exercise(
    **{
        **{field: getattr(DOUBLE, field) for field in DOUBLE.__dataclass_fields__},
        "name": "halve",
        "level": 2,
        "expected": lambda x: x.double().numpy() / 2,
        "misconceptions": (),
        "solutions": (lambda x: x / 2,),
    }
)


@pytest.fixture(autouse=True)
def two_exercises(monkeypatch, tmp_path):
    """Two exercises alone, in a folder of their own, in English."""
    for module in (exercises, answers, progress, sys.modules["minigpt.cli.learn"]):
        monkeypatch.setattr(module, "CATALOGUE", (DOUBLE, HALVE))
    monkeypatch.chdir(tmp_path)
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    return tmp_path


def answer(body, name="double", file="mine.py"):
    from pathlib import Path

    Path(file).write_text(f"import torch\n\n\ndef {name}(x):\n    {body}\n", encoding="utf-8")
    return file


def status_of(*words):
    try:
        main(list(words))
    except SystemExit as end:
        return end.code
    return 0


def test_the_path_shows_what_is_done_and_open(capsys):
    main(["learn"])
    printed = capsys.readouterr().out
    assert "[ ]  1 double  ★☆☆  01-language-models" in printed
    assert "[ ]  2 halve   ★★☆" in printed
    assert "0 of 2 exercises are done." in printed
    assert max(map(len, printed.split("\n"))) <= 80


def test_the_next_stub_has_task_and_formula_and_is_never_overwritten(capsys, tmp_path):
    main(["learn", "next"])
    path = tmp_path / "learn" / "01_double.py"
    text = path.read_text(encoding="utf-8")
    assert "Double each number." in text
    assert "$y_i = 2 x_i$" in text
    assert "minigpt check learn/01_double.py --watch" in capsys.readouterr().out
    compile(text, "stub", "exec")
    path.write_text("mine = 1\n", encoding="utf-8")
    main(["learn", "next"])
    assert path.read_text(encoding="utf-8") == "mine = 1\n"
    assert "is there already and stays as it is" in capsys.readouterr().out


def test_a_certain_stub_can_be_asked_for_and_an_unknown_name_has_a_nearest(capsys, tmp_path):
    main(["learn", "next", "halve", "--lang", "zh"])
    assert "中文 Double" in (tmp_path / "learn" / "02_halve.py").read_text(encoding="utf-8")
    assert status_of("learn", "next", "doubel") == 2
    assert "did you mean double?" in capsys.readouterr().err


def test_a_right_answer_is_remembered_and_the_path_moves_on(capsys):
    main(["learn", "next"])
    answer("return 2 * x", file="learn/01_double.py")
    assert status_of("check", "learn/01_double.py") == 0
    printed = capsys.readouterr().out
    assert "double: right." in printed
    assert "The next exercise: minigpt learn next" in printed
    main(["learn"])
    assert "[x]  1 double" in capsys.readouterr().out
    main(["learn", "next", "--json"])
    assert json.loads(capsys.readouterr().out)["exercise"] == "halve"


def test_a_wrong_answer_names_the_mistake_and_ends_with_status_1(capsys):
    assert status_of("check", answer("return x * x")) == 1
    assert "double: not right yet. You squared." in capsys.readouterr().out


def test_the_json_is_for_a_teacher(capsys):
    assert status_of("check", answer("return x * x"), "--json") == 1
    (reply,) = json.loads(capsys.readouterr().out)
    assert reply["id"] == "double.squared"
    assert reply["right"] is False


def test_a_hint_is_shown_on_request(capsys):
    status_of("check", answer("return x * x"))
    assert "Hint 2" not in capsys.readouterr().out
    status_of("check", answer("return x * x"), "--hint", "2")
    assert "Hint 2: the formula\n    y_i = 2 x_i\n" in capsys.readouterr().out


def test_a_file_with_a_syntax_error_is_said_with_its_line(capsys):
    assert status_of("check", answer("return x *", file="01_double.py")) == 1
    printed = capsys.readouterr().out
    assert "It could not be read: SyntaxError: invalid syntax in line 5" in printed.replace("\n", " ")
    assert "Traceback" not in printed


def test_a_file_is_run_in_another_process_alone(capsys, tmp_path):
    """What it does when it is loaded, and what it overwrites, changes nothing here."""
    file = answer("return x * x")
    text = (
        "import os, sys, torch\nsys.modules.clear()\ntorch.allclose = lambda *a, **k: True\nos.environ['GONE'] = '1'\n"
    )
    (tmp_path / file).write_text(text + (tmp_path / file).read_text(encoding="utf-8"), encoding="utf-8")
    assert status_of("check", file) == 1
    assert "GONE" not in os.environ
    assert torch.allclose(torch.ones(1), torch.zeros(1)) is False


def test_a_file_that_writes_its_own_progress_is_still_wrong(capsys, tmp_path):
    file = answer("return x * x")
    forged = json.dumps({"attempts": {}, "found": {}, "solved": []})
    text = f"from pathlib import Path\nPath('learn-progress.json').write_text({forged!r})\n"
    (tmp_path / file).write_text(text + (tmp_path / file).read_text(encoding="utf-8"), encoding="utf-8")
    assert status_of("check", file) == 1
    kept = json.loads((tmp_path / "learn-progress.json").read_text(encoding="utf-8"))
    assert kept["solved"] == []
    assert kept["found"]["double"] == {"double.squared": 1}


def test_a_file_without_an_exercise_and_one_that_is_not_there_are_refused(capsys):
    assert status_of("check", answer("return x", name="doubel")) == 2
    assert "did you mean double?" in capsys.readouterr().err
    assert status_of("check", "nowhere.py") == 2
    assert "nowhere.py is missing" in capsys.readouterr().err


def test_a_pipe_and_a_folder_are_not_read(capsys, tmp_path):
    os.mkfifo(tmp_path / "pipe.py")
    for name in ("pipe.py", "."):
        assert status_of("check", name) == 2
        assert "is not a plain file" in capsys.readouterr().err


def test_a_stub_is_no_attempt_yet(capsys, tmp_path):
    file = answer("raise NotImplementedError")
    assert status_of("check", file) == 1
    assert not (tmp_path / "learn-progress.json").exists()
    (tmp_path / "ann").mkdir()
    main(["learn", "report", "ann"])
    assert capsys.readouterr().out.endswith("nothing checked in this folder\n")


def test_a_class_is_one_table(capsys, tmp_path):
    for name, body in (("ann", "return 2 * x"), ("bob", "return x * x")):
        (tmp_path / name).mkdir()
        status_of("check", answer(body, file=f"{name}/mine.py"))
    status_of("check", "ann/mine.py", "--json")
    capsys.readouterr()
    main(["learn", "report", "ann", "bob"])
    lines = capsys.readouterr().out.split("\n")
    assert lines[1].split() == ["ann", "1", "1"]
    assert lines[2].split() == ["bob", "0", "1", "double.squared", "(1)"]
    main(["learn", "report", "ann", "bob", "--json"])
    assert [row["solved"] for row in json.loads(capsys.readouterr().out)] == [["double"], []]


def test_damaged_progress_is_one_clear_error(capsys, tmp_path):
    (tmp_path / "learn").mkdir()
    for kept in ('{"attempts": 3}', '{"attempts": {"softmax": "x"}, "found": {}, "solved": []}'):
        (tmp_path / "learn" / "learn-progress.json").write_text(kept, encoding="utf-8")
        assert status_of("learn") == 2
        assert "is damaged" in capsys.readouterr().err


def test_another_word_after_learn_is_refused(capsys):
    assert status_of("learn", "nex") == 2
    assert "nothing, next or report" in capsys.readouterr().err


WATCHER = """
import sys
sys.path.insert(0, {folder!r})
import test_learn as t
from minigpt.learn import answers, exercises, progress
import minigpt.cli.learn as cli
for module in (exercises, answers, progress, cli):
    module.CATALOGUE = (t.DOUBLE, t.HALVE)
from minigpt.cli import main
main(["check", "mine.py", "--watch", "--lang", "en"])
"""


def test_watching_judges_after_each_save_and_ends_with_ctrl_c(tmp_path):
    from pathlib import Path

    answer("return x * x")
    code = WATCHER.format(folder=str(Path(__file__).parent))
    watcher = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = []
    try:
        read_until(watcher, seen, "double: not right yet. You squared.")
        time.sleep(0.05)
        answer("return 2 * x + 0")
        read_until(watcher, seen, "double: right.")
        watcher.send_signal(signal.SIGINT)
        assert watcher.wait(timeout=30) == 0
        assert watcher.stderr.read() == ""
    finally:
        watcher.kill()
        watcher.communicate()


def read_until(process, seen, text):
    """Read lines until one holds the text; the end of the output is an error."""
    while not any(text in line for line in seen):
        line = process.stdout.readline()
        assert line, seen
        seen.append(line)
    seen.clear()


def test_a_file_that_nobody_has_worked_on_is_not_called_wrong(capsys, tmp_path):
    answer("raise NotImplementedError", file="01_double.py")
    assert status_of("check", str(tmp_path)) == 1
    assert capsys.readouterr().out == "01_double.py: double not written yet\n"
    assert status_of("check", str(tmp_path), "--lang", "zh") == 1
    assert capsys.readouterr().out == "01_double.py：double 尚未编写\n"


def test_a_folder_is_checked_one_line_for_each_file(capsys, tmp_path):
    answer("return 2 * x", file="01_double.py")
    answer("return x", name="halve", file="02_halve.py")
    (tmp_path / "helpers.py").write_text("def other():\n    pass\n", encoding="utf-8")
    assert status_of("check", ".") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "01_double.py: double right"
    assert lines[1].startswith("02_halve.py: halve wrong (")
    assert len(lines) == 2
    answer("return x / 2", name="halve", file="02_halve.py")
    assert status_of("check", ".") == 0


def test_the_json_of_a_folder_has_every_file(capsys):
    answer("return x * x", file="01_double.py")
    assert status_of("check", ".", "--json") == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert report["file"] == "01_double.py"
    assert report["replies"][0]["id"] == "double.squared"


def test_a_folder_without_answers_and_a_folder_with_a_name_are_refused(capsys):
    assert status_of("check", ".") == 2
    assert "has no file with an answer" in capsys.readouterr().err
    answer("return 2 * x", file="01_double.py")
    assert status_of("check", ".", "double") == 2
    assert "is a folder; a name, --hint and --watch are for one file" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "shown"), [((), True), (("--json",), False)])
def test_a_bar_is_shown_but_not_with_json(words, shown, monkeypatch, capsys):
    seen, judged = [], answers.judged
    monkeypatch.setattr(
        answers, "judged", lambda e, mine, *rest: seen.append(mine.shows_progress) or judged(e, mine, *rest)
    )
    status_of("check", answer("return 2 * x"), *words)
    assert seen == [shown]


def test_a_forgotten_colon_is_said_with_its_line_whatever_the_name_of_the_file(capsys, tmp_path):
    (tmp_path / "b.py").write_text("import torch\n\ndef double(x)\n    return 2 * x\n", encoding="utf-8")
    assert status_of("check", "b.py") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "b.py can't be run yet. SyntaxError in line 3: expected ':': `def double(x)`" in said
    answer("return x / 2", name="halve", file="c.py")
    assert status_of("check", ".") == 1
    assert capsys.readouterr().out.splitlines() == [
        "b.py: SyntaxError in line 3: expected ':': `def double(x)`",
        "c.py: halve right",
    ]
    assert status_of("check", ".", "--json") == 1
    assert json.loads(capsys.readouterr().out)[0]["error"].startswith("SyntaxError in line 3")


def test_printed_commands_keep_the_folder_and_the_language(capsys):
    main(["learn", "--folder", "ans/ann", "--lang", "zh"])
    assert capsys.readouterr().out.endswith("minigpt learn next --folder ans/ann --lang zh\n")
    main(["learn", "next", "--folder", "ans/ann", "--lang", "zh"])
    assert "minigpt check ans/ann/01_double.py --watch --lang zh\n" in capsys.readouterr().out
    status_of("check", answer("return 2 * x", file="ans/ann/01_double.py"), "--lang", "zh")
    assert capsys.readouterr().out.endswith("minigpt learn next --folder ans/ann --lang zh\n")


def test_the_table_of_a_class_is_chinese_where_that_is_asked_for(capsys, tmp_path):
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
    status_of("check", answer("return x * x", file="ann/mine.py"))
    capsys.readouterr()
    main(["learn", "report", "ann", "bob", "--lang", "zh"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["文件夹", "完成", "尝试次数", "最常见的错误"]
    assert lines[2].endswith("此文件夹中尚无检查记录")
    assert lines[4] == "全班"


def test_with_json_nothing_is_kept(capsys, tmp_path):
    assert status_of("check", answer("return x * x"), "--json") == 1
    assert not (tmp_path / "learn-progress.json").exists()


def test_a_folder_of_learners_is_checked_folder_by_folder_in_80_columns(capsys, tmp_path):
    for name in ("ann", "bob"):
        (tmp_path / name).mkdir()
    answer("return 2 * x", file="ann/01_double.py")
    answer("return x * x\n\ndef halve(x):\n    return x * x", file=f"bob/{'long_' * 10}double.py")
    assert status_of("check", ".") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["ann", "  01_double.py: double right", "bob"]
    assert lines[4].startswith("      ")
    assert max(map(len, lines)) <= 80
    status_of("check", ".", "--json")
    assert json.loads(capsys.readouterr().out)[0]["file"] == "ann/01_double.py"


@pytest.mark.parametrize(
    "data",
    [
        b"# -*- coding: latin-1 -*-\n# \xe9\ndef double(x):\n    return 2 * x\n",
        b"\xef\xbb\xbfdef double(x):\r\n    return 2 * x\r\n",
    ],
)
def test_a_file_is_read_in_the_encoding_that_python_reads_it_in(tmp_path, data):
    (tmp_path / "mine.py").write_bytes(data)
    assert answers.judge_file(tmp_path / "mine.py", [DOUBLE], "en")[0].right


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"# \xe9\ndef double(x):\n    return 2 * x\n", "is not in UTF-8, which Python expects: save it anew"),
        (b"x = 1\ny = 2\nz = \0\n", "line 3"),
    ],
)
def test_a_file_that_python_cannot_read_says_where(tmp_path, data, why):
    (tmp_path / "mine.py").write_bytes(data)
    with pytest.raises(ValueError, match=why):
        answers.exercises_in(tmp_path / "mine.py")


def test_an_answer_with_async_def_is_judged_and_told_why(tmp_path):
    (tmp_path / "mine.py").write_text("async def double(x):\n    return 2 * x\n", encoding="utf-8")
    assert answers.exercises_in(tmp_path / "mine.py") == [DOUBLE]


def test_a_folder_in_the_place_of_the_progress_is_named(tmp_path):
    (tmp_path / progress.FILE).mkdir()
    with pytest.raises(ValueError, match=f"{progress.FILE}"):
        progress.LearnerProgress.read(tmp_path)
