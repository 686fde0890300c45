"""An attempt that can be called: a function of the learner's, or one by its name in a file."""

import functools
import linecache
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle

from minigpt.learn.judge import worker
from minigpt.learn.judge.found import Found, GarbageError, decode
from minigpt.learn.judge.process import CALL_LIMIT, NoProcessError, Process

OURS = str(Path(__file__).parents[2])
PROCESS = Process()
FAILURES_OF_PROCESS = ("processes", "timeout", "slow", "died", "garbage")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one call came to.

    Attributes:
        result: what was returned, if anything was.
        again: what the same call returned a second time, if it was made.
        arguments: those of the call, after it.
        failure: how the call ended otherwise: "exception", "timeout", "slow" where all calls together took too long,
            "died", "processes" where it forked, "garbage", or "loading" where the file or the function could not be
            read.
        error: type, message and place of an exception.
        printed: the beginning of what it printed.
        seconds: that it took.
    """

    result: Found | None = None
    again: Found | None = None
    arguments: tuple[Found, ...] = ()
    failure: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    printed: str = ""
    seconds: float = 0.0


class Submission:
    """A function that may do anything.

    Args:
        function: of a notebook or a script; ``None`` if it is in a file.
        file: the path, the text and the name of the function in it.
        limit: seconds for one call.
        isolated: whether it is run in another process.
        process: which one.
        is_formula: whether it is the value of a formula, which is right where only its evaluation overflows.
        shows_progress: whether a bar is shown in a terminal while an unknown mistake takes long.
    """

    def __init__(
        self,
        function: Callable[..., Any] | None = None,
        *,
        file: tuple[str, str, str] | None = None,
        limit: float = CALL_LIMIT,
        isolated: bool = True,
        process: Process = PROCESS,
        is_formula: bool = False,
        shows_progress: bool = False,
    ) -> None:
        self.function, self.file, self.limit, self.isolated = function, file, limit, isolated
        self.process, self.is_formula = process, is_formula
        self.shows_progress = shows_progress
        self.why_here = ""

    def outcomes(self, cases: Sequence[tuple[Any, ...]], repeats: int = 0) -> list[Outcome]:
        """What each call comes to; after a call that ends the process there are no more.

        Args:
            cases: the arguments of each call.
            repeats: how many of the first calls are made twice.
        """
        job: dict[str, Any] = {"path": [str(p) for p in sys.path], "repeats": repeats}
        job["cases"] = [cloudpickle.dumps(case) for case in cases]
        return [self._outcome(message) for message in self._messages(job)]

    def _messages(self, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if self.isolated:
            try:
                yield from self.process.run({**job, **self._carried()}, self.limit)
                return
            except NoProcessError as error:
                if self.function is None:
                    raise
                self.why_here, self.isolated = str(error) or "no reason is known", False
        if self.function is not None:
            yield from worker.outcomes(self.function, job["cases"], job["repeats"])

    def _carried(self) -> dict[str, Any]:
        if self.file is not None:
            path, text, name = self.file
            return {"file": path, "text": text, "name": name}
        try:
            return {"pickled": carried(self.function)}
        except Exception as error:  # whatever the function refers to may refuse to be pickled
            raise NoProcessError(f"{type(error).__name__}: {error}") from None

    def _outcome(self, message: dict[str, Any]) -> Outcome:
        printed = str(message.get("printed", ""))
        failure = next((name for name in FAILURES_OF_PROCESS if name in message), "")
        if failure:
            return Outcome(failure=failure, error={"code": message[failure]}, printed=printed)
        try:
            if "error" in message:
                failure = "loading" if message.get("loading") else "exception"
                return Outcome(failure=failure, error=self._error(message["error"]), printed=printed)
            return Outcome(
                result=decode(message["result"]),
                again=decode(message["again"]) if "again" in message else None,
                arguments=tuple(map(decode, message["arguments"])),
                printed=printed,
                seconds=float(message.get("seconds", 0)),
            )
        except (GarbageError, KeyError, TypeError, ValueError, AttributeError):
            return Outcome(failure="garbage", printed=printed)

    def _error(self, error: dict[str, Any]) -> dict[str, Any]:
        """An exception with the last line of the learner's own code."""
        told = {"type": str(error["type"])[:80], "message": str(error["message"])[:500]}
        own = getattr(innermost(self.function), "__code__", None)
        for path, line, code in reversed(error["frames"]):
            path, line, code = str(path), int(line or 0), str(code).strip()[:200]
            if path == "<dynamic-code>" and own is not None:
                path = own.co_filename
            if not path.startswith(OURS):
                return {**told, "file": path, "line": line, "code": code or linecache.getline(path, line).strip()}
        return told


def innermost(function: Any) -> Any:
    """The function within partials and decorators."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__wrapped__", function)


def carried(function: Any) -> bytes:
    """A function as bytes, with everything of its own module that it refers to."""
    module = sys.modules.get(getattr(innermost(function), "__module__", None) or "")
    by_value = module is not None and not is_installed(module) and module.__name__ != "__main__"
    if not by_value or module is None:
        return cloudpickle.dumps(function)
    cloudpickle.register_pickle_by_value(module)
    try:
        return cloudpickle.dumps(function)
    finally:
        cloudpickle.unregister_pickle_by_value(module)


def is_installed(module: Any) -> bool:
    """Whether another process finds the same module: it is part of Python, of a package or of this library."""
    path = getattr(module, "__file__", None)
    return path is None or path.startswith((*worker.NOT_OWN[:4], OURS))
