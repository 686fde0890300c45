r"""From LaTeX to a tree of nodes.

$a_{ij}$ and $\theta_t$ look alike. Declared names are therefore recognised first, the longest first; what is left of a
subscript is indices. What is short for something longer, such as $\sum_{i,j}$, is written in full in the tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from minigpt.equations.bars import directed
from minigpt.equations.characters import refuse_foreign
from minigpt.equations.errors import MAX_DEPTH, MAX_LENGTH, MAX_NAMES, EquationError, quantity
from minigpt.equations.hints import not_expected, refuse_unknown

Node = Any  # a lark Tree or, among its children, a Token
MACRO = r"\\(?:begin|end|text|mathrm|operatorname|mathbb)\{[^}]*\}|\\[a-zA-Z]+"
CHAINS = ("add", "subtract", "times", "quotient")
POWERS = (r"\exp", r"\ln", r"\log", r"\log_2", r"\log_{2}", r"\log_{10}", r"\sin", r"\cos", r"\tanh")


@cache
def grammar() -> tuple[Any, frozenset[str]]:
    """The parser, and the words of its grammar."""
    from lark import Lark

    text = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    parser = Lark(text, parser="lalr", start=["document", "expr"], propagate_positions=True)
    literals = re.findall(r'"[^"\n]*"|/[^\n]*/', re.sub(r"(?m)^//.*", "", text))
    return parser, frozenset(word for literal in literals for word in re.findall("[a-zA-Z]+", literal))


def parse_latex(text: str, names: Sequence[str], functions: Iterable[str], start: str = "document") -> Node:
    """Read ``text``; every token of the tree is spelled and placed as in ``text``.

    Args:
        text: a formula.
        names: the declared names that carry a script or are called.
        functions: those of them that are called.
        start: the rule of the grammar that the text must follow.

    Raises:
        EquationError: at the place that cannot be read, or for a text beyond the limits of ``errors.py``.
    """
    from lark import UnexpectedInput

    _refuse_large(text, names)
    refuse_foreign(text)
    parser, known = grammar()
    codes = {name: chr((0xF000 if name in functions else 0xE000) + i) for i, name in enumerate(names)}
    longest_first = sorted(names, key=len, reverse=True)
    spelled = [re.escape(name) + r"(?![a-zA-Z])" * bool(re.search(r"\\[a-zA-Z]+$", name)) for name in longest_first]
    marked = re.sub("|".join([*spelled, MACRO]), lambda m: codes.get(m[0], m[0]).ljust(len(m[0]), "\uf8ff"), text)
    refuse_unknown(marked, text, known)
    try:
        tree = parser.parse(directed(marked, text), start=start)
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        position = len(text.rstrip()) if ended else error.pos_in_stream or 0
        raise EquationError(not_expected(text, position), text, position) from None
    _refuse_deep(tree, text)
    for node in tree.iter_subtrees():
        _spell(node, text)
        _write_in_full(node, text)
    return tree


def _refuse_large(text: str, names: Sequence[str]) -> None:
    if len(text) > MAX_LENGTH:
        message = f"the formula with its definitions is {len(text):,} characters long; at most {MAX_LENGTH:,} are read"
        raise EquationError(f"{message}: write what repeats as a sum, or split it into equations", text, MAX_LENGTH)
    if len(names) > MAX_NAMES:
        message = f"{len(names):,} names are declared; at most {MAX_NAMES:,} are read: make them entries of one array"
        raise EquationError(message, text, 0)


def _refuse_deep(tree: Node, text: str) -> None:
    """Refuse a tree with too many levels; the terms of a sum and the factors of a product are on one level."""
    deepest, place, waiting = 0, tree, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > deepest and not node.meta.empty:
            deepest, place = depth, node
        for number, child in enumerate(node.children):
            if hasattr(child, "data"):
                on_this_level = number == 0 and node.data in CHAINS and child.data in CHAINS
                waiting.append((child, depth + (not on_this_level)))
    if deepest > MAX_DEPTH:
        message = f"{quantity(deepest, 'level')} of parentheses, fractions and indices inside one another"
        fix = f"at most {MAX_DEPTH} are read: name the inner part in where, and use the name"
        raise EquationError(f"{message}; {fix}", text, place.meta.start_pos)


def _spell(node: Node, text: str) -> None:
    """Give the tokens of a node the spelling of the text."""
    for i, child in enumerate(node.children):
        if not hasattr(child, "data"):
            spelling = text[child.start_pos : child.end_pos]
            node.children[i] = child.update(value=re.sub(r"(?<=arg)(\s|\\,)+", "", spelling))


def _write_in_full(node: Node, text: str) -> None:
    """Replace the short forms, so that the evaluation knows fewer kinds of nodes."""
    if node.data == "derivative":
        above, below = (child for child in node.children if not hasattr(child, "data"))
        name = above.update(value=rf"\frac{{\partial {above}}}{{\partial {below}}}")
        node.data, node.children = "array", [name, *(c for c in node.children if c is not above and c is not below)]
    if node.data == "call_to_power":
        _raise_call(node, text)
    if node.data == "reduce" and node.children[1].data.startswith("each_"):
        _nest_sums(node, text)
    if node.data in ("array", "signature", "call"):
        node.children = [part for child in node.children for part in letters_apart(child)]


def _raise_call(node: Node, text: str) -> None:
    r"""``\sin^2(a)`` is the power of a call; other exponents of a function are refused."""
    function, exponent, arguments = node.children
    power = str(exponent.children[0]) if exponent.data == "number" else ""
    if function not in POWERS or not re.fullmatch(r"[2-9]|\d\d+", power):
        message = f"the exponent of {function} is ambiguous: it may mean a power, an inverse or a repeated call"
        fix = rf"write {function}(a)^2, \frac{{1}}{{{function}(a)}} or a function of your own"
        raise EquationError(f"{message}; {fix}", text, function.start_pos)
    call = type(node)("call", [function, arguments], node.meta)
    node.data, node.children = "power", [call, exponent]


def _nest_sums(node: Node, text: str) -> None:
    r"""``\sum_{i,j}`` is a sum over ``j`` inside a sum over ``i``."""
    name, span, body = node.children
    letters = [child for child in span.children if getattr(child, "type", "") == "NAME"]
    if name.startswith(r"\arg"):
        raise EquationError(f"{name} over several indices has no single value; take one index", text, name.start_pos)
    kind, bounds = span.data.removeprefix("each_"), span.children[len(letters) :]
    for letter in reversed(letters):
        body = type(node)("reduce", [name, type(node)(kind, [letter, *bounds], span.meta), body], node.meta)
    node.children = body.children


def letters_apart(index: Node) -> list[Node]:
    """The letters of a product of bare letters, each an index: ``ij``; anything else is one index."""
    if getattr(index, "data", "") != "times":
        return [index]
    *products, first = chain(index)
    letters = [first, *(product.children[1] for product in reversed(products))]
    return letters if all(map(letter_of, letters)) else [index]


def letter_of(node: Node) -> str:
    """The letter, if ``node`` is a lower-case letter and nothing more; else the empty string."""
    alone = getattr(node, "data", "") == "array" and len(node.children) == 1
    return str(node.children[0]) if alone and re.fullmatch("[a-z]", node.children[0]) else ""


def chain(node: Node) -> list[Node]:
    """The nodes of ``a + b - c`` from the whole down to ``a``: what is evaluated from the left, without recursion."""
    nodes = [node]
    while nodes[-1].data in CHAINS:
        nodes.append(nodes[-1].children[0])
    return nodes


def tokens_of(tree: Node, *types: str) -> Iterator[Node]:
    """The tokens of some types below ``tree``, from left to right."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "data"):
            waiting += reversed(node.children)
        elif getattr(node, "type", "") in types:
            yield node


def names_in(tree: Node) -> list[Node]:
    """The tokens of all names below ``tree``."""
    return list(tokens_of(tree, "NAME", "FUNCTION"))
