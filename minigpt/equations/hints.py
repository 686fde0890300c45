r"""What to write instead of LaTeX that is common, but ambiguous or not part of the notation."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

from minigpt.equations.errors import EquationError

MACROS = {
    **dict.fromkeys([r"\leq", r"\leqslant", r"\lte"], r"\le"),
    **dict.fromkeys([r"\geq", r"\geqslant", r"\gte"], r"\ge"),
    **dict.fromkeys([r"\mod", r"\pmod"], r"\bmod"),
    **dict.fromkeys([r"\dots", r"\cdots", r"\ldots"], r"\sum or \prod with its bounds"),
    **dict.fromkeys([r"\dfrac", r"\tfrac"], r"\frac"),
    **dict.fromkeys([r"\mathbf", r"\boldsymbol", r"\bm", r"\vec"], "the letter alone; symbols says what it is"),
    **dict.fromkeys([r"\approx", r"\coloneqq", r"\equiv", r"\propto", r"\sim", r"\triangleq"], "="),
    r"\in": r"the bounds of the index: \sum_{k=1}^{n}",
    r"\argmax": r"\arg\max",
    r"\argmin": r"\arg\min",
    r"\ast": r"\cdot",
    r"\gt": ">",
    r"\intercal": r"\top",
    r"\lg": r"\log_2 or \log_{10}",
    r"\lt": "<",
    r"\neq": r"\ne",
    r"\otimes": r"x y^\top for the outer product",
    r"\times": r"\cdot, or \odot for a product of elements",
    r"\varepsilon": r"\epsilon",
    r"\Vert": r"\lVert … \rVert",
    r"\vert": r"\lvert … \rvert",
}
FUNCTION = r"\\(?:exp|ln|log(?:_2|_\{\d+\})?|sin|cos|tanh)(?:\^\S+)?\s*"
# What is before the place where reading stops, what is there, and what to write.
MISREAD = [
    (r".*", r"\\log_", r"the bases are \log_2 and \log_{10}; for another one write \frac{\log(x)}{\log(b)}"),
    (rf".*{FUNCTION}[^\s=+\-(]+\s*", r"[^\s=+\-]", r"put what the function is applied to in parentheses: \log(x y)"),
    (r".*", r"\\bmod", r"add parentheses: (a + b) \bmod c or a + (b \bmod c)"),
    (r".*\\bmod.*", r"[+\-*/\\]", r"add parentheses: (a \bmod b) + c or a \bmod (b + c)"),
    (r".*(?:\\cdot|\\odot|/).*", r"\\cdot|\\odot|/", r"add parentheses: (a \cdot b) \cdot c"),
    (r".*/\s*\w+\s*", r"[\w\\(]", r"a product after a quotient is ambiguous, write \frac{a}{b} c or a/(b c)"),
    (r".*\\(?:frac(?:\{[^{}]*\})?|sqrt)\s*", r"\w", r"write braces: \frac{1}{2}, \sqrt{2}"),
    (r".*[\w})]\s*", r"\d", "write the number first: 2 x"),
    (r".*[_^]\{", r"\\text", "declare a name with a word in its subscript in symbols"),
    (r".*", r"\\text", r"words are read only as \text{where } and, in cases, as \text{if }"),
    (r".*", r"\\operatorname", "only erf and sign are written so; write the formula of another function"),
    (r".*", r"\\begin", "the environments are aligned, for rows, and cases"),
    (r".*/\s*", r"\\(?:sum|prod)", r"put what follows / in parentheses, or write \frac{a}{b}"),
    (r".*", r"\*", r"write a product with nothing between its factors, with \cdot or with \odot"),
    (r".*", r"\\\\", r"put several rows into \begin{aligned} … \end{aligned} or into where"),
    (r".*(?:\||\\rvert)\s*", r"_", r"write a norm as \lVert x \rVert_1"),
    (r".*\\rVert\s*\^\S+\s*", r"_", r"write the index of a norm before its exponent: \lVert x \rVert_1^2"),
    (r".*", r"_", "an index follows a letter: z_i"),
    (r".*\\left\(.*", r"\)", r"close \left( with \right)"),
    (r".*\^(?:\{[^{}]*\}|\S)\s*", r"\^", r"two exponents are ambiguous: write (x^a)^b or x^{a b}"),
    (r".*", r"[\[{]", "write parentheses for what belongs together: (a + b)"),
    (r".*", r":=?", "write = for a definition"),
]
TURNED = "write before = what the formula defines, such as y_i, and its value after ="


def not_expected(text: str, position: int) -> str:
    """What is not expected at a place, and what to write instead, if that is known.

    Args:
        text: the formula.
        position: where reading stopped.
    """
    found = re.findall(r"\\[a-zA-Z]+|.|$", text[position:], re.DOTALL)[0]
    row = re.split(r"\n|\\\\", text[:position])[-1]
    if not text.strip():
        return "the formula is empty; write an expression, or a left side, = and a right side"
    if not found and text.rstrip().endswith("="):
        return "the right side is missing: write after = what it is equal to"
    if found == "=" and not re.sub(r"\\text\{where \}|&|\s", "", row):
        return "the left side is missing: write before = what the formula defines, or leave = out"
    if found == "=" and r"\text{if" not in row and _has_equals(row):
        return r"a formula has one =; write a second formula in a row of \begin{aligned} or after \text{where }"
    if not found:
        return "the formula ends too early: a part is missing, or something that was opened is not closed"
    if "=" not in row and "\\" in row + found and _has_equals(row + re.split(r"\n|\\\\", text[position:])[0]):
        return f"{found} is not expected here; {TURNED}"
    before = re.split(r"\n|\\\\|=", text[:position])[-1][-200:]
    for left, right, hint in MISREAD:
        if re.fullmatch(left, before, re.DOTALL) and re.match(right, text[position:]):
            return f"{found} is not expected here; {hint}"
    return f"{found} is not expected here"


def _has_equals(row: str) -> bool:
    """Whether there is an equals sign outside all brackets, and none of them is open at the end."""
    depth, found = 0, False
    for sign in row:
        depth += (sign in "([{") - (sign in "}])")
        found = found or (sign == "=" and not depth)
    return found and not depth


def refuse_unknown(marked: str, text: str, known: Collection[str]) -> None:
    """Refuse a macro that the grammar does not have, and a function that is written as letters.

    Args:
        marked: the formula, its declared names replaced by private characters.
        text: the formula.
        known: the words of the grammar.
    """
    for macro in re.finditer(r"\\([a-zA-Z]+)", marked):
        if macro[1] not in known:
            near = [rf"\{word}" for word in difflib.get_close_matches(macro[1], known, n=1, cutoff=0.75)]
            better = [*filter(None, [MACROS.get(macro[0])]), *near]
            hint = f"write {better[0]}" if better else rf"a name of your own is \mathrm{{{macro[1]}}}"
            raise EquationError(f"unknown macro {macro[0]}; {hint}", text, macro.start())
    for word in re.finditer(r"(?<![\\a-zA-Z{])(exp|ln|log|sin|cos|tanh|max|min)(?=\s*\()", marked):
        raise EquationError(f"{word[0]}(…) is a product of letters; write \\{word[0]}", text, word.start())
