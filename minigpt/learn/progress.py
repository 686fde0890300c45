"""Which exercises are solved: kept in a folder, shown as the path through the course."""

import html
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigpt.files.atomic import write_atomically
from minigpt.files.json_object import read_object
from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.layout import TERMINAL_WIDTH, in_page
from minigpt.learn.judge.reply import Reply
from minigpt.settings.language import Language, columns_of, filled

#: The learner's folder, and the file in it.
FOLDER, FILE = "learn", "learn-progress.json"
HEADINGS = (
    Words("exercise", "练习"), Words("level", "难度"), Words("equation", "公式"), Words("page", "页面"), Words("", ""),
)  # fmt: skip
DONE, NOT_DONE = Words("done", "完成"), Words("open", "未完成")
#: The table of a class: its headings, what it says of a folder that holds no progress, and of all together.
CLASS_HEADINGS = (
    Words("folder", "文件夹"), Words("solved", "完成"),
    Words("attempts", "尝试次数"), Words("most frequent mistake", "最常见的错误"),
)  # fmt: skip
NOTHING_CHECKED = Words("nothing checked in this folder", "此文件夹中尚无检查记录")
WHOLE_CLASS = Words("the class", "全班")
SUMMARY = Words("{done} of {all} exercises are done.", "共 {all} 道练习，已完成 {done} 道。")


@dataclass
class LearnerProgress:
    """What is known of one learner.

    Attributes:
        attempts: for each exercise, the number of attempts.
        found: for each exercise, how often each id was the answer.
        solved: the names of the solved exercises.
    """

    attempts: dict[str, int] = field(default_factory=dict)
    found: dict[str, dict[str, int]] = field(default_factory=dict)
    solved: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, folder: Path) -> "LearnerProgress":
        """The progress that a folder keeps; none, if it keeps none.

        Args:
            folder: the learner's.

        Raises:
            ValueError: if the file is damaged.
        """
        path = folder / FILE
        if not path.exists():
            return cls()
        kept = read_object(path)
        try:
            attempts = {str(name): int(n) for name, n in kept["attempts"].items()}
            found = {str(name): {str(k): int(n) for k, n in ids.items()} for name, ids in kept["found"].items()}
            return cls(attempts, found, set(map(str, kept["solved"])))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path} is damaged ({error}); delete it to start anew") from None

    def record(self, reply: Reply) -> None:
        """Count a reply."""
        name = reply.exercise
        self.attempts[name] = self.attempts.get(name, 0) + 1
        counts = self.found.setdefault(name, {})
        counts[reply.id] = counts.get(reply.id, 0) + 1
        if reply.right:
            self.solved.add(name)

    def write(self, folder: Path) -> None:
        """Keep it in a folder, whole or not at all."""
        write_atomically(folder / FILE, (json.dumps(self.to_json(), indent=1, sort_keys=True) + "\n").encode())

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        return {"attempts": self.attempts, "found": self.found, "solved": sorted(self.solved)}


@dataclass(frozen=True)
class Overview:
    """The exercises along the course; ``print`` and a notebook show them.

    Attributes:
        rows: of each exercise its number, name, level, equations, page, stage and whether it is solved.
        lang: "en" or "zh".
    """

    rows: tuple[dict[str, Any], ...]
    lang: Language

    def __str__(self) -> str:
        lines, stage = [], ""
        width = max([0, *(len(row["name"]) for row in self.rows)])
        for row in self.rows:
            if row["stage"] != stage:
                stage = row["stage"]
                lines.append(stage)
            level = "★" * row["level"] + "☆" * (3 - row["level"])
            sign = "x" if row["done"] else " "
            line = f"  [{sign}] {row['number']:2} {row['name']:{width}}  {level}  {row['page'].split('/')[-1]}"
            lines.append(line if columns_of(line) <= TERMINAL_WIDTH else line[: TERMINAL_WIDTH - 3] + "...")
        return "\n".join([*lines, self.summary])

    __repr__ = __str__

    @property
    def summary(self) -> str:
        """How many are done."""
        done = sum(row["done"] for row in self.rows)
        return SUMMARY[self.lang].format(done=done, all=len(self.rows))

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(words[self.lang])}</th>' for words in HEADINGS)
        body = "".join(self._html_row(row) for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return in_page(
            f"<p><strong>{html.escape(self.summary)}</strong></p><div class='wide' tabindex='0'>{table}</div>",
            lang=self.lang,
        )

    def _html_row(self, row: dict[str, Any]) -> str:
        texts = (row["level"], ", ".join(row["equations"]), row["page"], (DONE if row["done"] else NOT_DONE)[self.lang])
        name = f'<th scope="row">{row["number"]}. <code>{html.escape(row["name"])}</code></th>'
        return f"<tr>{name}{''.join(f'<td>{html.escape(str(text))}</td>' for text in texts)}</tr>"

    def to_json(self) -> list[dict[str, Any]]:
        """The rows, for a program."""
        return list(self.rows)


def overview(solved: set[str], lang: Language) -> Overview:
    """All exercises in order.

    Args:
        solved: the names of those that are.
        lang: "en" or "zh".
    """
    rows = tuple(
        {
            "number": number,
            "name": exercise.name,
            "stage": exercise.stage[lang],
            "level": exercise.level,
            "equations": list(exercise.equations),
            "page": exercise.page,
            "done": exercise.name in solved,
        }
        for number, exercise in enumerate(CATALOGUE, 1)
    )
    return Overview(rows, lang)


def class_report(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """For each learner's folder, what is solved and which mistakes came up most often.

    Args:
        folders: one a learner.

    Raises:
        ValueError: if a folder is not there, or its file is damaged.
    """
    rows = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}; `minigpt learn report` takes one folder a learner")
        progress, counts = LearnerProgress.read(folder), Counter[str]()
        for ids in progress.found.values():
            counts.update({id: n for id, n in ids.items() if id != "right"})
        rows.append(
            {
                "folder": str(folder),
                "solved": sorted(progress.solved),
                "attempts": sum(progress.attempts.values()),
                "mistakes": dict(counts.most_common()),
            }
        )
    return rows


def class_table(rows: Sequence[dict[str, Any]], lang: Language = "en") -> str:
    """The same as a table, and below it the mistakes of the whole class.

    Args:
        rows: of :func:`class_report`.
        lang: of the headings, "en" or "zh".
    """
    folder, solved, attempts, mistake = (words[lang] for words in CLASS_HEADINGS)
    width = max(columns_of(text) for text in (folder, *(row["folder"] for row in rows)))
    heads = f"{solved:>{6 - extra_columns(solved)}}  {attempts:>{8 - extra_columns(attempts)}}"
    lines = [f"{filled(folder, width)}  {heads}  {mistake}"]
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row["mistakes"])
        none = "" if row["attempts"] else NOTHING_CHECKED[lang]
        first = next((f"{id} ({n})" for id, n in row["mistakes"].items()), none)
        lines.append(f"{filled(row['folder'], width)}  {len(row['solved']):6}  {row['attempts']:8}  {first}".rstrip())
    if total:
        lines += ["", WHOLE_CLASS[lang], *(f"  {n:4}  {id}" for id, n in total.most_common(10))]
    return "\n".join(lines)


def extra_columns(text: str) -> int:
    """How many columns a text takes more than it has characters."""
    return columns_of(text) - len(text)
