r"""A formula as it is written on paper: with or without its left side, its definitions after ``\text{where }``.

``p_i - y_i`` is completed to ``\mathrm{result}_{i} = p_i - y_i``: an unbound letter is an index of the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

from minigpt.equations.errors import MAX_LENGTH, EquationError
from minigpt.equations.formula import Equation
from minigpt.equations.operations import COMBINE, CONSTANTS, FUNCTIONS
from minigpt.equations.parse import CHAINS, Node, letter_of, names_in, parse_latex
from minigpt.equations.syntax import declarations

RESULT = r"\mathrm{result}"
_WHERE = r"\\text\{\s*where:?\s*\}"
_AROUND = r"\\\[(.+)\\\]|\\\((.+)\\\)|\\begin\{equation\*?\}(.+)\\end\{equation\*?\}"
#: What a page has in a formula for its looks: numbers, labels, styles, and comments.
_LOOKS = r"\\(?:tag|label)\*?\{[^{}]*\}|\\(?:nonumber|notag|displaystyle|textstyle|limits)(?![a-zA-Z])|(?<!\\)%[^\n]*"
#: What may end a sentence or a row: spaces, punctuation, and a break with no row after it.
_ENDS = (r"\qquad", r"\quad", r"\\", r"\,", r"\;", r"\:", r"\!", *",.;，。；")
_ONE_ROW = r"\\begin\{aligned\}((?:(?!\\\\|\\begin).)*)\\end\{aligned\}"
#: Operations + - * / that a formula without a left side, or one that is compared, may have.
MAX_CHAINED = 400
#: What is written otherwise, but means the same.
SPELLINGS = {r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\varepsilon": r"\epsilon", r"\quad": " ", r"\qquad": " "}


def parted(latex: str) -> tuple[str, list[str]]:
    r"""The formula in the spelling that is read, and its definitions: ``y = a x \text{where } a = 2``.

    >>> parted(r"y = \\dfrac{a}{x} \\text{where } a = 2")
    ('y = \\\\frac{a}{x}', ['a = 2'])
    """
    latex = undelimited(latex)
    for other, usual in SPELLINGS.items():
        latex = re.sub(re.escape(other) + r"(?![a-zA-Z])", lambda _, to=usual: to, latex)  # type: ignore[misc]
    latex = re.sub(r"\\delta_(?:\{\s*([a-z]),?\s*([a-z])\s*\})", r"\\mathbb{1}[\1 = \2]", latex)
    latex = re.sub(r"(?<!\\)\\\\(?=[a-zA-Z])", r"\\\\ ", latex)  # a row break before a letter is no macro
    formula, *where = re.split(_WHERE, latex)
    return formula.strip().rstrip(",").strip(), [line.strip().rstrip(",").strip() for line in where]


def undelimited(latex: str) -> str:
    r"""A formula without what a page has around it: dollars, ``\[ … \]``, its number, and the full stop of a sentence.

    >>> undelimited(r"\\[ y = x \\tag{1} \\]"), undelimited("$$ y. $$")
    ('y = x', 'y')
    """
    if len(latex) > MAX_LENGTH:  # it is refused where it is read
        return latex
    latex = re.sub(_LOOKS, "", latex.removeprefix("\ufeff")).strip().strip("$").strip()
    around = re.fullmatch(_AROUND, latex, re.DOTALL)
    latex = next(filter(None, around.groups()[-3:])).strip() if around else latex
    latex = re.sub(r"\\(begin|end)\{(?:align|gather|split)(?:ed)?\*?\}", r"\\\1{aligned}", latex)
    latex = r"\end{aligned}".join(f"{_without_end(part)} " for part in latex.split(r"\end{aligned}")).strip()
    row = re.fullmatch(_ONE_ROW, latex, re.DOTALL)
    return row[1].replace("&", "").strip() if row else latex


def _without_end(latex: str) -> str:
    latex = latex.rstrip()
    while end := next((end for end in _ENDS if latex.endswith(end)), ""):
        latex = latex.removesuffix(end).rstrip()
    return latex


def left_side(latex: str) -> str:
    r"""What is before the first equals sign that no bracket encloses; nothing for an expression and a system.

    >>> left_side("y_i = a x_i"), left_side(r"\sum_{i=1}^{n} x_i")
    ('y_i', '')
    """
    depth = 0
    for position, sign in enumerate(latex):
        depth += (sign in "{[(") - (sign in "}])")
        if sign == "=" and not depth:
            return "" if r"\begin" in latex[:position] else latex[:position].strip()
    return ""


def is_complete(latex: str) -> bool:
    """Whether a formula defines something: it has a left side, or it is a system."""
    return bool(left_side(latex)) or latex.startswith(r"\begin{aligned}")


def free_letters(latex: str, where: Sequence[str], symbols: Mapping[str, str]) -> dict[str, bool]:
    """The lower-case letters of an expression that nothing binds or declares, and whether each must be an index.

    One that is neither in a subscript nor compared with another letter may also be a number.

    Args:
        latex: an expression without a left side.
        where: definitions that it may use.
        symbols: as of an `Equation`.

    Raises:
        EquationError: at the place that cannot be read.
    """
    names, functions, shapes = declarations([latex, *where], symbols)
    tree = parse_latex(latex, names, functions, "expr")
    refuse_long(tree, latex)
    sizes = {name for shape in shapes.values() for size in shape for name in re.findall(r"[a-z]", size)}
    defined = {re.split(r"[_(=]", left_side(line))[0].strip() for line in where}
    bounds = {letter_of(span.children[2]) for span in tree.find_data("from_to")}
    found: dict[str, bool] = {}
    for letter, is_index in _free(tree, frozenset({*symbols, *sizes, *defined, *CONSTANTS}), is_index=False):
        found[letter] = found.get(letter, False) or (is_index and letter not in bounds)
    return found


def refuse_long(tree: Node, latex: str) -> None:
    """Refuse a formula of more sums, differences, products and quotients than are compared.

    Args:
        tree: of the formula.
        latex: its text.

    Raises:
        EquationError: at its beginning.
    """
    n = sum(node.data in CHAINS for node in tree.iter_subtrees())
    if n > MAX_CHAINED:
        message = f"the formula has {n:,} sums, differences, products and quotients; at most {MAX_CHAINED} are read"
        raise EquationError(rf"{message} here: write what repeats with \sum or \prod", latex, 0)


def _free(node: Node, scope: frozenset[str], *, is_index: bool) -> Iterator[tuple[str, bool]]:
    if not hasattr(node, "data"):
        return
    if node.data == "reduce":
        span, body = node.children[1:]
        if span.data == "such_that":
            sides = [letter_of(side) for side in span.children[-1].children]
            inner = scope | {next((letter for letter in sides if letter and letter not in scope), "")}
            yield from _free(span.children[-1], inner, is_index=False)
        else:
            inner = scope | {str(span.children[0])}
            for bound in span.children[1:]:
                yield from _free(bound, scope, is_index=False)
        yield from _free(body, inner, is_index=False)
    elif letter := letter_of(node):
        yield from [] if letter in scope else [(letter, is_index)]
    else:
        compared = node.data == "equality" and all(map(letter_of, node.children))
        for child in node.children:
            yield from _free(child, scope, is_index=compared or is_index or node.data == "array")


def refuse_unknown_names(
    equation: Equation,
    names: Collection[str],
    known_as: str,
    indices: Collection[str] = (),
    *,
    offered: Collection[str] | None = None,
) -> None:
    r"""Refuse a formula with a name that has no meaning.

    A letter of an expression is an index of its result only if it is used as one, or is compared: in
    ``\frac{z_i}{n}`` that is i, but not n.

    Args:
        equation: the formula.
        names: those that have one.
        known_as: what has them, such as "the exercise softmax".
        indices: letters that may be an index of the result without being used as one in the formula.
        offered: those that the error names; ``None``: all of them.

    Raises:
        EquationError: at the name.
    """
    document = equation.document
    letters = {str(node.children[1].children[0]) for node in document.tree.find_data("reduce")}
    for row in (row for same in document.rows.values() for row in same):
        used = {*row.letters, *row.parameters}
        letters |= used if row.name != RESULT else used & {*indices, *_placed(row.body)}
    defined = {*names, *letters, *document.rows, *CONSTANTS, *FUNCTIONS, *COMBINE}
    added = {id(name) for row in document.rows.get(RESULT, ()) for name in names_in(row.tree.children[0])}
    for name in names_in(document.tree):
        if name not in defined and id(name) not in added:
            shown = ", ".join(sorted(names if offered is None else offered, key=str.lower)) or "no names"
            near = [known for known in names if known.casefold() == name.casefold()] or get_close_matches(name, names)
            meant = f" (did you mean {near[0]}?)" if near else ""
            fix = r"use these, or define it after \text{where }"
            document.fail(name, f"{name} has no meaning here{meant}; {known_as} has {shown}: {fix}")


def _placed(body: Node) -> set[str]:
    """The names in subscripts and in comparisons."""
    placed: set[str] = set()
    for node in body.iter_subtrees():
        if node.data in ("equality", "comparison"):
            placed.update(map(str, names_in(node)))
        elif node.data == "array":
            placed.update(str(name) for index in node.children[1:] for name in names_in(index))
    return placed


def completed(
    latex: str,
    where: Sequence[str] = (),
    symbols: Mapping[str, str] | None = None,
    *,
    order: Callable[[Collection[str]], Sequence[str]] = sorted,
    shape: str = "",
) -> Equation:
    r"""The equation that a formula stands for, whose result is its own left side or ``\mathrm{result}``.

    Args:
        latex: with or without a left side; definitions may follow, each after ``\text{where }``.
        where: more definitions.
        symbols: as of an `Equation`.
        order: of the free letters of an expression, those that are indices, in the order of the axes of the result.
        shape: that of the result, such as "(T, E)", if it is known.

    Raises:
        EquationError: at the place that cannot be read.
    """
    formula, own = parted(latex)
    where, symbols, name = [*own, *where], dict(symbols or {}), RESULT
    if is_complete(formula):
        equation = Equation("formula", formula, where, symbols)
        name = equation.outputs[-1]
        n_axes = len(equation.document.rows[name][0].indices)
    else:
        letters = order(free_letters(formula, where, symbols))
        comma = "," if any(len(letter) > 1 for letter in letters) else ""
        formula = f"{RESULT}_{{{comma.join(letters)}}} = {formula}" if letters else f"{RESULT} = {formula}"
        n_axes = len(letters)
    if shape and name not in symbols and n_axes == shape.count(",") + (shape != "()"):
        symbols[name] = f"{shape} result"
    equation = Equation("formula", formula, where, symbols)
    _ = equation.document
    return equation
