"""Commands for learning by doing: `minigpt learn` shows the path, `minigpt check` judges the answers in a file."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from minigpt.cli.output import command, print_json
from minigpt.learn.answers import (
    exercises_in,
    file_of,
    files_in,
    judge_file,
    line_of,
    syntax_error,
    write_stub,
)
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.judge.layout import TERMINAL_WIDTH
from minigpt.learn.judge.reply import Reply
from minigpt.learn.progress import FOLDER, LearnerProgress, class_report, class_table, overview
from minigpt.settings.language import Language, language, wrapped

STUB_WRITTEN = Words("{path} is written: fill in the function, then", "已写好 {path}：请补全函数，然后运行")
THERE = Words("{path} is there already and stays as it is; check it with", "{path} 已存在，保持不变；检查它请运行")
ALL_DONE = Words("All {n} exercises are done.", "{n} 道练习已全部完成。")
NEXT = Words("The next exercise: {command}", "下一道练习：{command}")
WATCHING = Words("Watching {path} ({name}); Ctrl-C ends.", "正在监视 {path}（{name}）；按 Ctrl-C 结束。")
#: Seconds between two looks at a file.
PAUSE = 0.3


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Show the exercises: what is done, what is open, and how hard each is.

    The command `minigpt learn next` writes the file of the next open exercise into the folder, `minigpt learn next
    softmax` that of a certain one, and `minigpt learn report FOLDER FOLDER ...` prints one table for a class.

    Attributes:
        words: "next" and perhaps the name of an exercise, or "report" and the folders of learners.
        folder: the learner's folder, with answers and progress.
        lang: "en" or "zh" (default: that of the locale).
        json: print the figures as JSON, and nothing else.
    """

    words: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[next|report] ...")] = ()
    folder: Path = Path(FOLDER)
    lang: str = ""
    json: bool = False

    def __call__(self) -> None:
        """Print the path, the place of the next file, or the table."""
        spoken = language(self.lang or None)
        match self.words:
            case ():
                shown = overview(LearnerProgress.read(self.folder).solved, spoken)
                print_json(shown.to_json()) if self.json else print(f"{shown}\n{next_line(self.folder, self.lang)}")
            case ("next", *names) if len(names) <= 1:
                self._next(names, spoken)
            case ("report", *folders) if folders:
                rows = class_report([Path(folder) for folder in folders])
                print_json(rows) if self.json else print(class_table(rows, spoken))
            case ("report",):
                raise ValueError("minigpt learn report takes the folders of the learners")
            case (word, *_):
                raise ValueError(f"minigpt learn takes nothing, next or report, not {word!r}")

    def _next(self, names: Sequence[str], lang: Language) -> None:
        solved = LearnerProgress.read(self.folder).solved
        exercise = exercise_named(names[0]) if names else next((e for e in CATALOGUE if e.name not in solved), None)
        if exercise is None:
            print_json({"exercise": None}) if self.json else print(ALL_DONE[lang].format(n=len(CATALOGUE)))
            return
        written, path = write_stub(exercise, self.folder, lang), file_of(exercise, self.folder)
        if self.json:
            print_json({"exercise": exercise.name, "file": str(path), "written": written})
            return
        print("\n".join(wrapped(exercise.task[lang])))
        print((STUB_WRITTEN if written else THERE)[lang].format(path=path))
        print(f"    {command('minigpt', 'check', path, '--watch', *spoken_as(self.lang))}")


@dataclass(frozen=True, kw_only=True)
class CheckAnswers:
    """Judge the answers in a file: all exercises whose functions it defines, or one. Of a folder, judge every file.

    The file is run in another process. What is solved is kept in learn-progress.json beside it, but not with --json. A
    folder gives one line for each file; one of learners' folders gives those of each learner. The exit status is 1 if
    an answer is wrong.

    Attributes:
        file: Python file with the functions, or a folder of such files.
        name: name of one exercise (default: all in the file).
        hint: hint to show with a wrong answer: 1 the mistake and an example, 2 the place in the formula.
        watch: judge again whenever the file is saved: the exercise that is named, or the first that is not solved.
        seed: random seed of the calls that decide; another one gives other numbers.
        lang: "en" or "zh" (default: that of the locale).
        json: print the replies as JSON, and nothing else.
    """

    file: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE|FOLDER")]
    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ""
    hint: int = 0
    watch: bool = False
    seed: int = 0
    lang: str = ""
    json: bool = False

    def __call__(self) -> None:
        """Print the replies."""
        if self.file.is_dir():
            self._check_folder()
            return
        exercises = exercises_in(self.file, self.name)
        if self.watch:
            self._watch(exercises)
            return
        if not all(self._check(exercises)):
            sys.exit(1)

    def _check_folder(self) -> None:
        """One line for each file."""
        if self.name or self.hint or self.watch:
            raise ValueError(f"{self.file} is a folder; a name, --hint and --watch are for one file")
        lang, right = language(self.lang or None), True
        reports: list[dict[str, Any]] = []
        folder = self.file
        for path, exercises in files_in(self.file):
            replies = judge_file(path, exercises, lang, self.seed, for_program=self.json)
            right = right and bool(replies) and all(replies)
            reports.append(
                {"file": path.relative_to(self.file).as_posix(), "replies": [reply.to_json() for reply in replies]}
            )
            if not replies:
                reports[-1]["error"] = syntax_error(path, lang)
            if self.json:
                continue
            if path.parent != folder:
                folder = path.parent
                print(folder.name)
            indent = "  " * (folder != self.file)
            first, *more = wrapped(line_of(path, replies, lang), TERMINAL_WIDTH - 6)
            print("\n".join([indent + first, *(f"{indent}    {line}" for line in more)]), flush=True)
        if self.json:
            print_json(reports)
        if not right:
            sys.exit(1)

    def _check(self, exercises: Sequence[Exercise]) -> list[Reply]:
        spoken = language(self.lang or None)
        replies = judge_file(self.file, exercises, spoken, self.seed, for_program=self.json)
        if self.json:
            print_json([reply.to_json() for reply in replies])
            return replies
        for reply in replies:
            print(reply.text(calls=False))
            if self.hint and reply.hints:
                print(reply.hint(self.hint))
        if all(replies):
            print(next_line(self.file.parent, self.lang))
        return replies

    def _watch(self, exercises: Sequence[Exercise]) -> None:
        """Judge one exercise after each change of the file, until Ctrl-C."""
        solved = LearnerProgress.read(self.file.parent).solved
        current = next((exercise for exercise in exercises if exercise.name not in solved), exercises[0])
        spoken, seen = language(self.lang or None), None
        try:
            print(WATCHING[spoken].format(path=self.file, name=current.name), flush=True)
            while True:
                now = stamp(self.file)
                if now != seen and now is not None:
                    seen = now
                    self._check([current])
                    sys.stdout.flush()
                time.sleep(PAUSE)
        except KeyboardInterrupt:
            print()


def next_line(folder: Path, lang: str) -> str:
    """How the next exercise is asked for, with the folder and the language that were typed.

    Args:
        folder: the learner's.
        lang: what was typed after --lang; nothing, if nothing was.
    """
    kept = () if folder == Path(FOLDER) else ("--folder", folder)
    next_one = command("minigpt", "learn", "next", *kept, *spoken_as(lang))
    return NEXT[language(lang or None)].format(command=next_one)


def spoken_as(lang: str) -> tuple[str, ...]:
    """The words of a command for the language that was typed."""
    return ("--lang", lang) if lang else ()


def stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is saved; ``None`` while it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
