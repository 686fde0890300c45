"""The chain rule not used, or used along a part of the paths from a symbol to the result."""

from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np

from minigpt.equations import EquationError
from minigpt.equations.board import plain_name
from minigpt.learn.formulas import sentences
from minigpt.learn.formulas.derivative import Drawn
from minigpt.learn.formulas.evidence import Guess, Slip, WorkedOut, near, slip


def other_symbol(evidence: WorkedOut) -> Slip | None:
    """The derivative with respect to another symbol: of a name on the way, or of another input."""
    first = evidence.drawn[0]
    for name in first.symbols:
        if name == evidence.symbol or not evidence.fits(lambda d, _, n=name: _derivative(d, n)):  # type: ignore[misc]
            continue
        symbol = plain_name(evidence.symbol)
        if name in first.equation.document.rows:
            return slip("chain-rule", "missing", sentences.NOT_CHAINED, other=plain_name(name), symbol=symbol)
        return slip("other-symbol", "wrong-operand", sentences.OTHER_SYMBOL, other=plain_name(name), symbol=symbol)
    return None


def not_chained(evidence: WorkedOut) -> Slip | None:
    """What would be the derivative if it were multiplied by that of a name on the way."""
    first = evidence.drawn[0]
    for name in _on_the_way(evidence):
        if np.ndim(first.values[name]) and all(
            _times_jacobian(drawn, name, evidence.symbol, found, g)
            for drawn, found, g in zip(evidence.drawn, evidence.found, evidence.expected, strict=True)
        ):
            names = {"other": plain_name(name), "symbol": plain_name(evidence.symbol)}
            return slip("chain-rule", "missing", sentences.NOT_CHAINED, **names)
    return None


def _times_jacobian(drawn: Drawn, name: str, symbol: str, found: np.ndarray, g: np.ndarray) -> bool:
    n = int(np.size(drawn.values[name]))
    jacobian = _derivative(drawn.of(name), symbol)
    if jacobian is None or found.size * jacobian.size != g.size * n * n:
        return False
    return near((found.reshape(-1, n) @ jacobian.reshape(n, -1)).reshape(g.shape), g)


def as_constant(evidence: WorkedOut) -> Slip | None:
    """Names on the way that were kept constant, and paths through them alone."""
    names = list(_on_the_way(evidence))
    groups = [group for n in range(1, len(names) + 1) for group in combinations(names, n)]
    for group in groups:
        if evidence.fits(lambda d, _, at=group: _derivative(d, evidence.symbol, at)):  # type: ignore[misc]
            return slip("as-constant", "missing", sentences.AS_CONSTANT, **_parts(group, evidence))
    for group in groups:
        if evidence.fits(lambda d, g, at=group: _rest(g, _derivative(d, evidence.symbol, at))):  # type: ignore[misc]
            return slip("one-path", "missing", sentences.ONE_PATH, **_parts(group, evidence))
    return None


def _parts(group: Iterable[str], evidence: WorkedOut) -> dict[str, str]:
    return {"names": ", ".join(map(plain_name, group)), "symbol": plain_name(evidence.symbol)}


def _rest(g: np.ndarray, direct: np.ndarray | None) -> np.ndarray | None:
    return None if direct is None else g - direct


def diagonal(evidence: WorkedOut) -> Slip | None:
    """A Jacobian of which only the diagonal was used, or all but the part on its diagonal."""
    for only, without, through in _jacobians(evidence):
        if evidence.fits(only):
            return slip("only-diagonal", "missing", sentences.ONLY_DIAGONAL, name=through)
        if any(map(evidence.fits, without)):
            return slip("no-diagonal", "missing", sentences.NO_DIAGONAL, name=through)
    if evidence.found[0].ndim * 2 == evidence.expected[0].ndim and evidence.fits(
        lambda _, g: np.diag(_square(g)).reshape(g.shape[: g.ndim // 2]) if _is_square(g) else None
    ):
        return slip("only-diagonal", "missing", sentences.ONLY_DIAGONAL, name=plain_name(evidence.drawn[0].output))
    return None


def _on_the_way(evidence: WorkedOut) -> Iterator[str]:
    """The names that the equation defines and that depend on the symbol."""
    first = evidence.drawn[0]
    for name in first.symbols:
        is_defined = name in first.equation.document.rows and name not in (evidence.symbol, *first.equation.outputs)
        if is_defined and _derivative(first.of(name), evidence.symbol) is not None:
            yield name


def _derivative(drawn: Drawn, name: str, fixed: tuple[str, ...] = ()) -> np.ndarray | None:
    """A derivative that can be computed and is not 0."""
    try:
        found = drawn.derivative(name, fixed)
    except EquationError:
        return None
    return found if np.isfinite(found).all() and np.any(found) else None


def _jacobians(evidence: WorkedOut) -> Iterator[tuple[Guess, list[Guess], str]]:
    """Guesses of a derivative from parts of a Jacobian: its diagonal, its other entries, itself without p on it."""
    first, symbol = evidence.drawn[0], evidence.symbol
    shape = np.shape(first.values[symbol])
    if shape and first.result({}).shape == shape:
        yield _diagonal_of, [_without_diagonal, _without_result], plain_name(first.output)
    for name in _on_the_way(evidence) if shape else ():
        if np.shape(first.values[name]) == shape:
            for output in _same_result(first):
                through = [_chained(output, name, symbol, part) for part in JACOBIAN_PARTS]
                yield through[0], through[1:], plain_name(name)


def _same_result(drawn: Drawn) -> list[str]:
    """The output, and other forms of it among the rows."""
    rows = [name for name in drawn.symbols if name in drawn.equation.document.rows]
    return [drawn.output, *(name for name in rows if near(drawn.values[name], drawn.result({})))]


def _is_square(g: np.ndarray) -> bool:
    return g.ndim % 2 == 0 and g.shape[: g.ndim // 2] == g.shape[g.ndim // 2 :]


def _square(g: np.ndarray) -> np.ndarray:
    n = int(np.sqrt(g.size))
    return g.reshape(n, n)


def _diagonal_of(drawn: Drawn, g: np.ndarray) -> np.ndarray:
    return np.diag(np.diag(_square(g))).reshape(g.shape)


def _without_diagonal(drawn: Drawn, g: np.ndarray) -> np.ndarray:
    return g - _diagonal_of(drawn, g)


def _without_result(drawn: Drawn, g: np.ndarray) -> np.ndarray:
    """Of softmax's $p_i (1[i = j] - p_j)$ what is left without the 1."""
    return g - np.diag(drawn.result({}).reshape(-1)).reshape(g.shape)


JACOBIAN_PARTS: tuple[Guess, ...] = (_diagonal_of, _without_diagonal, _without_result)


def _chained(output: str, name: str, symbol: str, part: Guess) -> Guess:
    def guess(drawn: Drawn, g: np.ndarray) -> Any:
        n = int(np.size(drawn.values[name]))
        outer, jacobian = _derivative(drawn.of(output), name), _derivative(drawn.of(name), symbol)
        if outer is None or jacobian is None or near(_diagonal_of(drawn, jacobian), jacobian):
            return None
        chosen = part(drawn.of(name), jacobian).reshape(n, n)
        return (outer.reshape(-1, n) @ chosen).reshape(g.shape)

    return guess
