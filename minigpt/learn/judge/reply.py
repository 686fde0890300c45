"""What the judge says of an attempt: truthy if it is right, and with hints that name the mistake if it is not."""

import html
from dataclasses import dataclass
from typing import Any

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.layout import Paragraph, Section, in_page
from minigpt.settings.language import Language, wrapped

RIGHT = Words("{}: right.", "{}：正确。")
WRONG = Words("{}: not right yet.", "{}：还不正确。")
PRINTED = Words("Your function printed", "你的函数输出了")
MORE_HINTS = Words("More: {}.", "更多提示：{}。")
OTHER_WAYS = Words("Other ways: reply.solutions.", "其他写法：reply.solutions。")
NO_HINT = Words("there is no hint {n}; this reply has {given}", "没有 hint({n})；可用的提示是 {given}")
NO_HINTS = Words("there is no hint {n}; this reply has no hints", "没有 hint({n})：这条回复不带提示")


class Sections(tuple[Section, ...]):
    """Hints or solutions; printed one below another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_page("".join(section.html() for section in self))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The verdict on an attempt. ``print(reply)`` and a notebook show it; ``if reply:`` asks whether it is right.

    Attributes:
        exercise: the name of what was asked for.
        right: whether the attempt is right.
        id: what was found, stable: "right", a misconception such as "softmax.first-axis", a generic diagnosis such as
            "generic.transposed", or a failure such as "failure.exception". Two that fit have a "|" between them.
        kind: one of `MISTAKE_KINDS`, where the mistake has one.
        says: what was understood differently, or what happened; nothing for a right answer without a remark.
        parts: what the reply shows below it, such as the smallest example.
        hints: two at the most, counted from 1 in their titles; no hint holds the solution.
        solutions: right answers, shown once the exercise is solved.
        printed: the beginning of what the function printed.
        lang: "en" or "zh".
    """

    exercise: str
    right: bool
    id: str
    says: str = ""
    kind: str = ""
    parts: tuple[Paragraph, ...] = ()
    hints: tuple[Section, ...] = ()
    solutions: tuple[Section, ...] = ()
    printed: str = ""
    lang: Language = "en"

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", Sections(self.hints))
        object.__setattr__(self, "solutions", Sections(self.solutions))

    def __bool__(self) -> bool:
        return self.right

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all misconceptions that fit."""
        return tuple(self.id.split("|"))

    def hint(self, n: int) -> Section:
        """One step of the ladder: 1 the mistake and the smallest example, 2 the term of the equation and the page.

        Args:
            n: the step, counted from 1.

        Raises:
            ValueError: if there is no such hint.
        """
        if not 1 <= n <= len(self.hints):
            words = NO_HINT if self.hints else NO_HINTS
            raise ValueError(words[self.lang].format(n=n, given=self._calls("hint")))
        return self.hints[n - 1]

    def __str__(self) -> str:
        return self.text()

    def text(self, *, calls: bool = True) -> str:
        """The reply for a terminal.

        Args:
            calls: whether to say how the hints and the other solutions are asked for in Python.
        """
        gap = "" if self.lang == "zh" else " "
        lines = list(wrapped(self._verdict + (gap + self.says if self.says else "")))
        for part in self.parts:
            lines += part.lines()
        if self.printed:
            lines += [f"{PRINTED[self.lang]}:", *Paragraph(self.printed, is_block=True).lines()]
        if self.hints and calls:
            lines.append(MORE_HINTS[self.lang].format(self._calls("reply.hint")))
        if self.solutions:
            lines.append(str(self.solutions[0]))
        if self.solutions[1:] and calls:
            lines.append(OTHER_WAYS[self.lang])
        return "\n".join(lines)

    __repr__ = __str__

    def _calls(self, name: str) -> str:
        """How each hint is asked for."""
        return ("、" if self.lang == "zh" else ", ").join(f"{name}({i + 1})" for i in range(len(self.hints)))

    @property
    def _verdict(self) -> str:
        return (RIGHT if self.right else WRONG)[self.lang].format(self.exercise)

    def _repr_html_(self) -> str:
        said = f" {html.escape(self.says)}" if self.says else ""
        body = [f"<p><strong>{html.escape(self._verdict)}</strong>{said}</p>"]
        body += [part.html() for part in self.parts]
        if self.printed:
            body.append(Section(PRINTED[self.lang], (Paragraph(self.printed, is_block=True),)).html())
        body += [section.html() for section in (*self.hints, *self.solutions)]
        return in_page("".join(body), kind="right" if self.right else "wrong", lang=self.lang)

    def to_json(self) -> dict[str, Any]:
        """The verdict for a program, without the hints."""
        return {"exercise": self.exercise, "right": self.right, "id": self.id, "kind": self.kind, "says": self.says}
