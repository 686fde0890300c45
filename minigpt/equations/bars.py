r"""Which vertical bars belong together: ``|a| + |b|``.

A bar looks the same on both sides. One that has no operand before it opens; one that has an operand before it and none
after it closes. Where both readings are possible, as in ``|a| b |c|``, the formula is refused: ``\lvert`` and
``\rvert`` say which is meant.
"""

from __future__ import annotations

import re

from minigpt.equations.errors import EquationError

OPEN, CLOSE = "\uf800", "\uf801"
TOKEN = re.compile(r"\\(?:left|right)\s*\||\\\||\\[a-zA-Z]+|\S")
INFIX = {r"\cdot", r"\odot", r"\bmod", r"\le", r"\ge", r"\ne", r"\mid"}
NAMED_FUNCTIONS = {r"\exp", r"\ln", r"\log", r"\sin", r"\cos", r"\tanh"}
BEFORE_OPERANDS = {*INFIX, *NAMED_FUNCTIONS, r"\lvert", r"\lVert", r"\lceil", r"\lfloor"}
AFTER_OPERANDS = {*INFIX, r"\rvert", r"\rVert", r"\rceil", r"\rfloor", r"\text", r"\end"}
USE_MACROS = r"write \lvert a \rvert for an absolute value, \lVert x \rVert for a norm, \mid for a condition"


def directed(marked: str, text: str) -> str:
    """The formula with each bar replaced by one that opens or one that closes.

    Args:
        marked: the formula, its declared names replaced by private characters.
        text: the formula, for errors.

    Raises:
        EquationError: for a bar without a partner, a double bar, and bars that can be paired in two ways.
    """
    if "|" not in marked:
        return marked
    tokens, signs = [*TOKEN.finditer(marked)], list(marked)
    open_groups: list[list[int]] = [[]]  # the bars between one pair of brackets belong together
    groups = [open_groups[0]]
    for number, token in enumerate(tokens):
        if token[0] in "({[":
            open_groups.append([])
            groups.append(open_groups[-1])
        elif token[0] in ")}]" and len(open_groups) > 1:
            open_groups.pop()
        elif token[0] in ("|", r"\|"):
            if token[0] == r"\|" or (number and tokens[number - 1][0] == "|"):
                raise EquationError(f"double bars are ambiguous; {USE_MACROS}", text, token.start())
            open_groups[-1].append(number)
    for group in groups:
        for number, sign in zip(group, _signs(group, tokens, text), strict=True):
            signs[tokens[number].start()] = sign
    return "".join(signs)


def _signs(group: list[int], tokens: list[re.Match[str]], text: str) -> list[str]:
    """For each bar of a group, the sign that opens or the one that closes."""
    signs: list[str] = []
    n_open = 0
    for place, number in enumerate(group):
        closes = n_open > 0 and _ends_an_operand(tokens[number - 1][0])
        followed = number + 1 < len(tokens) and _begins_an_operand(tokens[number + 1][0])
        if closes and followed and place + 1 < len(group):
            raise EquationError(f"these bars can be paired in two ways; {USE_MACROS}", text, tokens[number].start())
        n_open += -1 if closes else 1
        signs.append(CLOSE if closes else OPEN)
    if n_open:
        raise EquationError(f"a bar without its partner; {USE_MACROS}", text, tokens[group[-1]].start())
    return signs


def _ends_an_operand(token: str) -> bool:
    return not (token in BEFORE_OPERANDS or token.startswith(r"\left") or token[0] in "+-=<>/,&_^({[")


def _begins_an_operand(token: str) -> bool:
    return not (token in AFTER_OPERANDS or token.startswith(r"\right") or token[0] in "+-=<>/,&_^)}]'")
