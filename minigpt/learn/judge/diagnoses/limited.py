"""Functions from changed syntax trees, within limits: a changed loop may never end."""

import ast
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Any

#: How often a loop may run in a variant.
TURNS = 200


class EndlessError(Exception):
    """A variant runs too long."""


@contextlib.contextmanager
def cpu_seconds(limit: float) -> Iterator[None]:
    """Let what runs too long raise `EndlessError`.

    Args:
        limit: seconds of the CPU.
    """

    def stop(*_: Any) -> None:
        raise EndlessError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def compiled(tree: ast.Module, scope: dict[str, Any]) -> Callable[..., Any] | None:
    """The function that a tree defines; ``None`` if it is not Python any more."""
    inner: dict[str, Any] = dict(scope)
    counter = [0]
    inner["_turn"] = lambda: turn(counter)
    try:
        exec(compile(ast.fix_missing_locations(tree), "<variant>", "exec"), inner)
    except (SyntaxError, ValueError, TypeError):
        return None
    function = inner[tree.body[0].name]  # type: ignore[attr-defined]

    def limited(*arguments: Any) -> Any:
        counter[0] = 0
        return function(*arguments)

    return limited


def turn(counter: list[int]) -> bool:
    """Count a turn of a loop.

    Raises:
        EndlessError: if there are too many.
    """
    counter[0] += 1
    if counter[0] > TURNS:
        raise EndlessError
    return True


def guard_loops(tree: ast.AST) -> None:
    """Let each while loop count its turns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.While):
            node.test = ast.BoolOp(ast.And(), [ast.Call(ast.Name("_turn", ast.Load()), [], []), node.test])
