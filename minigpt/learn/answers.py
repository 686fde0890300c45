"""A learner's folder: the file of the next exercise, the exercises in a file, and a table of several folders."""

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path

from minigpt.files.atomic import write_atomically
from minigpt.files.plain import read_plain
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.notes import noted
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.replies import judged
from minigpt.learn.judge.reply import Reply
from minigpt.learn.progress import LearnerProgress
from minigpt.settings import nearest
from minigpt.settings.language import Language

RETURNS = Words("Returns", "返回")
READ_PAGE = Words("Read", "阅读")
VERDICTS = {True: Words("right", "正确"), False: Words("wrong", "错误")}
UNWRITTEN = Words("not written yet", "尚未编写")
#: Bytes that a file with answers may have.
LARGEST_FILE = 1 << 20
#: What is said of a file that is no Python program, and the characters of its line that are shown.
NO_PYTHON, LONGEST_LINE = (
    Words("SyntaxError in line {n}: {error}: `{line}`", "第 {n} 行语法错误：{error}：`{line}`"),
    60,
)
#: What a file that nobody has worked on yet gets: it is no attempt.
NOT_WRITTEN = "failure.not-written"


def file_of(exercise: Exercise, folder: Path) -> Path:
    """Where the answer to an exercise is written, such as ``learn/03_softmax.py``.

    Args:
        exercise: what is asked for.
        folder: the learner's.
    """
    return folder / f"{CATALOGUE.index(exercise) + 1:02}_{exercise.name}.py"


def write_stub(exercise: Exercise, folder: Path, lang: Language) -> bool:
    """Write the file of an exercise: its function with the task and the formula, but without a body.

    Args:
        exercise: what is asked for.
        folder: the learner's.
        lang: of the task, "en" or "zh".

    Returns:
        Whether it was written; false if it is there already, and then it stays as it is.
    """
    path = file_of(exercise, folder)
    if path.exists():
        return False
    write_atomically(path, stub(exercise, lang).encode())
    return True


def stub(exercise: Exercise, lang: Language) -> str:
    """The text of such a file.

    Args:
        exercise: what is asked for.
        lang: of the task, "en" or "zh".
    """
    colon = ": " if lang == "en" else "："
    lines = [*textwrap.wrap(exercise.task[lang], 90), "", *textwrap.wrap(f"${exercise.latex}$", 90), ""]
    lines += [f"{name}{colon}{noted(told, lang)}" for name, told in exercise.arguments.items()]
    lines += [f"{RETURNS[lang]}{colon}{noted(exercise.result, lang)}", "", f"{READ_PAGE[lang]}{colon}{exercise.page}"]
    doc = textwrap.indent("\n".join(lines), "    ").lstrip()
    head = f"def {exercise.name}({', '.join(exercise.arguments)}):"
    return f'import torch\n\n\n{head}\n    r"""{doc}\n    """\n    raise NotImplementedError\n'


def defined_names(text: str) -> list[str]:
    """The names that a program defines at its top level; none if it is not Python.

    Args:
        text: of the program.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return []
    return [name for node in tree.body for name in _defined(node)]


def syntax_error(path: Path, lang: Language = "en") -> str:
    """What makes a file no Python program, with its line; nothing if it is one.

    Args:
        path: of the file.
        lang: of the sentence, "en" or "zh".
    """
    text = text_of(path)
    try:
        ast.parse(text)
    except (SyntaxError, ValueError) as error:
        before, null, _ = text.partition("\0")
        n, line = getattr(error, "lineno", None) or 1, getattr(error, "text", None) or ""
        if null:  # for which Python names no line
            n, line = before.count("\n") + 1, before.rpartition("\n")[2]
        return NO_PYTHON[lang].format(error=getattr(error, "msg", error), n=n, line=line.strip()[:LONGEST_LINE])
    return ""


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name for alias in names)


def exercises_in(path: Path, name: str = "") -> list[Exercise]:
    """The exercises that a file has answers to, in the order of the course.

    Args:
        path: of the file.
        name: only this one.

    Raises:
        ValueError: if there is no such file or exercise, or the file has none or is no Python program.
    """
    text = text_of(path)
    if name:
        exercise_named(name)
    found = [exercise for exercise in CATALOGUE if exercise.name in defined_names(text) and name in ("", exercise.name)]
    in_name = [exercise for exercise in CATALOGUE if path.stem.endswith(exercise.name) and name in ("", exercise.name)]
    if not found and not in_name and (error := syntax_error(path)):
        raise ValueError(f"{path} can't be run yet. {error}; correct this line and check again")
    if not found and not in_name:
        known = [exercise.name for exercise in CATALOGUE]
        near = next((nearest(each, known) for each in defined_names(text) if nearest(each, known)), "")
        raise ValueError(f"{path} defines no function {name or 'of an exercise'}; `minigpt learn` lists them{near}")
    return found or in_name


def files_in(folder: Path) -> list[tuple[Path, list[Exercise]]]:
    """The files of a folder that have answers, each with its exercises; none for a file that is no Python program.

    Args:
        folder: the learner's, or one of learners' folders.

    Raises:
        ValueError: if there are none, or one can't be read.
    """
    found = _files_in(folder)
    if not found:
        below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = [pair for each in below for pair in _files_in(each)]
    if not found:
        raise ValueError(f"{folder} has no file with an answer; `minigpt learn next` writes the first one")
    return found


def _files_in(folder: Path) -> list[tuple[Path, list[Exercise]]]:
    found: list[tuple[Path, list[Exercise]]] = []
    for path in sorted(folder.glob("*.py")):
        broken = syntax_error(path)  # a file that can't be read is an error
        try:
            found.append((path, exercises_in(path)))
        except ValueError:
            if broken:  # otherwise it is a file of helpers
                found.append((path, []))
    return found


def line_of(path: Path, replies: Sequence[Reply], lang: Language = "en") -> str:
    """One line about a file: each exercise in it, and the id of what is wrong.

    Args:
        path: of the file.
        replies: to the answers in it; none where it is no Python program.
        lang: of the line, "en" or "zh".
    """
    if not replies:
        return f"{path.name}{'：' if lang == 'zh' else ': '}{syntax_error(path, lang)}"
    colon, comma = ("：", "，") if replies[0].lang == "zh" else (": ", ", ")
    return f"{path.name}{colon}{comma.join(map(_told, replies))}"


def _told(reply: Reply) -> str:
    if reply.id == NOT_WRITTEN:
        return f"{reply.exercise} {UNWRITTEN[reply.lang]}"
    identity = f"（{reply.id}）" if reply.lang == "zh" else f" ({reply.id})"
    return f"{reply.exercise} {VERDICTS[reply.right][reply.lang]}" + ("" if reply.right else identity)


def text_of(path: Path) -> str:
    """The text of a Python file, in UTF-8 or in the encoding that its first lines declare.

    Args:
        path: of the file.

    Raises:
        ValueError: if it can't be read.
    """
    data = read_plain(path, str(path), limit=LARGEST_FILE)
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError):
        raise ValueError(
            f"{path} is not in UTF-8, which Python expects: save it anew with the encoding UTF-8"
        ) from None


def judge_file(
    path: Path, exercises: Sequence[Exercise], lang: Language, seed: int = 0, *, for_program: bool = False
) -> list[Reply]:
    """Judge the answers in a file and keep the progress in its folder. The file is run in another process alone.

    Args:
        path: of the file.
        exercises: those that are judged.
        lang: of the replies.
        seed: of the calls that decide.
        for_program: whether a program reads the replies: then they are no attempts of the learner, and no bar is shown.
    """
    text, progress = text_of(path), LearnerProgress.read(path.parent)
    submissions = [Submission(file=(str(path), text, each.name), shows_progress=not for_program) for each in exercises]
    replies = [judged(each, mine, lang, seed) for each, mine in zip(exercises, submissions, strict=True)]
    tried = [reply for reply in replies if reply.id != NOT_WRITTEN]
    for reply in tried:
        progress.record(reply)
    if tried and not for_program:
        progress.write(path.parent)
    return replies
