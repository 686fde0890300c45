r"""Several formulas in one line, as an exercise shows them: ``N = \sqrt{…}, \quad g'_k = g_k \min(1, c/N)``."""

import re

from minigpt.equations.equality.expression import left_side

_GAP = re.compile(r"\s*[,;]?\s*(?:\\,\s*)*\\q?quad(?![a-zA-Z])\s*[,;]?|\s*;")
_COMPARISON = re.compile(r"<|>|\\(?:le|ge|leq|geq)(?![a-zA-Z])")
_SUBSCRIPT = re.compile(r"_\{[^{}]*\}|_\w|\\[a-zA-Z]+|[a-z]")
_ODD_PLACE = re.compile(r"_\{[^{}]*2\s*i\s*\+\s*1\}")


def one_formula(latex: str, n_results: int, from_zero: str = "") -> str:
    r"""What several formulas in one line say, as one system and its definitions, each after ``\text{where }``.

    The results are the formulas that no other one uses, or all of them where as many are asked for.

    Args:
        latex: one formula, which stays as it is, or several with ``\quad`` or a semicolon between them.
        n_results: how many results are asked for.
        from_zero: letters that count from 0 where a formula has a place 2i + 1 on its left side.
    """
    parts = statements(latex)
    if from_zero and any(_ODD_PLACE.search(left_side(part)) for part in parts):
        parts = [part if "(" in left_side(part) else from_one(part, from_zero) for part in parts]
    if len(parts) < 2:
        return parts[0] if parts else latex
    groups: dict[str, list[str]] = {}
    for part in parts:
        groups.setdefault(_name(part), []).append(part)
    asked = list(groups)
    if len(groups) > n_results:
        asked = [name for name in groups if not _is_used(name, [p for own, p in groups.items() if own != name])]
        asked = (asked if len(asked) >= n_results else list(groups))[:n_results]
    rows = [row for name in asked for row in groups.pop(name)]
    whole = rows[0] if len(rows) == 1 else _system(rows)
    return "".join([whole, *(rf" \text{{where }} {part}" for group in groups.values() for part in group)])


def statements(latex: str) -> list[str]:
    """The formulas of a line; those that say only where an index ends are left out.

    Args:
        latex: without a system; one that has a system is one formula.
    """
    if r"\begin" in latex or r"\text" in latex:
        return [latex]
    parts, start = [], 0
    for gap in _GAP.finditer(latex):
        if _is_whole(latex[start : gap.start()]):
            parts.append(latex[start : gap.start()].strip())
            start = gap.end()
    parts.append(latex[start:].strip().rstrip(",;."))
    several = [part for part in parts if left_side(part)]
    left_out = all(_COMPARISON.search(part) for part in parts if part and not left_side(part))
    return several if len(parts) > 1 and several and left_out else [latex]


def from_one(formula: str, letters: str) -> str:
    r"""A formula whose letters count from 0, rewritten so that they count from 1: $2i$ is the place $2i - 1$.

    >>> from_one(r"x_{t,2i+1} = t b^{2i}", "ti")
    'x_{t,2i} = (t - 1) b^{2(i - 1)}'
    """

    def moved(match: re.Match[str]) -> str:
        found = match[0]
        if found.startswith("_"):
            odd = re.sub(r"2\s*i\s*\+\s*1(?!\d)", "2#", found)
            return re.sub(r"2\s*i(?![\w\s]*[+-])", "2i-1", odd).replace("2#", "2i")
        return f"({found} - 1)" if found in letters else found

    return _SUBSCRIPT.sub(moved, formula)


def _is_whole(text: str) -> bool:
    return all(text.count(one) == text.count(other) for one, other in ("{}", "()", "[]"))


def _name(part: str) -> str:
    """What a formula defines, without its indices and arguments; of m_{t-1} with them, since it is one name."""
    left = left_side(part)
    return left if re.search(r"_\{?t", left) and not re.search(r"[,i]", left) else re.split(r"[_(]", left)[0].strip()


def _is_used(name: str, others: list[list[str]]) -> bool:
    """Whether a name occurs on the right side of another formula."""
    spelled = re.compile(rf"(?<![a-zA-Z\\]){re.escape(name)}(?![a-zA-Z'])")
    return any(spelled.search(part[len(left_side(part)) :]) for group in others for part in group)


def _system(rows: list[str]) -> str:
    written = [f"{left_side(row)} &= {row[len(left_side(row)) :].lstrip().removeprefix('=').strip()}" for row in rows]
    return r"\begin{aligned} " + r" \\ ".join(written) + r" \end{aligned}"
