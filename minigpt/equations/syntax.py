r"""From LaTeX to a tree: names before indices, then the grammar, then what every index is bound to.

$a_{ij}$ and $\theta_t$ look alike. Declared names are therefore recognised first, the longest first; what is left
of a subscript is indices: single lower-case letters, bound by the left side or by a sum.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, NoReturn

Node = Any  # a lark Tree or, among its children, a Token
PLAIN = r"(?:\\(?:mathrm|hat|bar)\{\\?[a-zA-Z]+\}|\\[a-zA-Z]+|[a-zA-Z])'*"
SCRIPTED = rf"{PLAIN}[_^](?:\w|\{{(?:[^{{}}]|\{{[^}}]*\}})*\}})"
SIGNATURE = rf"(?:^|\\\\|\}})\s*({PLAIN})\s*\([^()]*\)\s*(?:_\S+\s*)?&?\s*="
MACRO = r"\\(?:begin|end|text|mathrm|operatorname|mathbb)\{[^}]*\}|\\[a-zA-Z]+"


class EquationError(ValueError):
    """An equation cannot be read or evaluated; the message shows the line and points at the place.

    Args:
        message: what is wrong.
        text: the formula.
        position: of the character in it, from 0.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        start = text.rfind("\n", 0, position) + 1
        line = text[start:].split("\n", 1)[0]
        super().__init__(f"{message}\n  {line}\n  {' ' * (position - start)}^")


class Definition(NamedTuple):
    """``name(parameters)_indices = body``; the left side binds ``letters``."""

    name: str
    parameters: list[str]
    indices: list[Node]
    letters: list[str]
    body: Node
    tree: Node


@cache
def grammar() -> tuple[Any, str]:
    """The parser, and the text of its grammar."""
    from lark import Lark

    text = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start=["document", "expr"], propagate_positions=True), text


def parse_latex(text: str, names: Sequence[str], functions: Iterable[str], start: str = "document") -> Node:
    """Read ``text``; every token of the tree is spelled and placed as in ``text``."""
    from lark import Token, UnexpectedInput

    parser, known = grammar()
    codes = {name: chr((0xF000 if name in functions else 0xE000) + i) for i, name in enumerate(names)}
    longest_first = sorted(names, key=len, reverse=True)
    spelled = [re.escape(name) + r"(?![a-zA-Z])" * bool(re.search(r"\\[a-zA-Z]+$", name)) for name in longest_first]
    marked = re.sub("|".join([*spelled, MACRO]), lambda m: codes.get(m[0], m[0]).ljust(len(m[0]), "\uf8ff"), text)
    for macro in re.finditer(r"\\([a-zA-Z]+)", marked):
        if not re.search(rf"\b{macro[1]}\b", known):
            raise EquationError(f"unknown macro {macro[0]}", text, macro.start())
    for word in re.finditer(r"(?<![\\a-zA-Z{])(exp|log|sin|cos|tanh|max|min)(?=\s*\()", marked):
        raise EquationError(f"{word[0]}(…) is a product of letters; write \\{word[0]}", text, word.start())
    try:
        tree = parser.parse(marked, start=start)
    except UnexpectedInput as error:
        ended = getattr(getattr(error, "token", None), "type", "") == "$END"
        position = len(text.rstrip()) if ended else error.pos_in_stream or 0
        found = re.findall(r"\\[a-zA-Z]+|.|$", text[position:], re.DOTALL)[0]
        message = f"{found} cannot stand here" if found else "the formula ends too early"
        raise EquationError(message, text, position) from None
    for node in tree.iter_subtrees():
        for i, child in enumerate(node.children):
            if isinstance(child, Token):
                node.children[i] = child.update(value=text[child.start_pos : child.end_pos])
        if node.data == "derivative":
            above, below = (child for child in node.children if isinstance(child, Token))
            name = above.update(value=rf"\frac{{\partial {above}}}{{\partial {below}}}")
            node.data, node.children = "array", [name, *(c for c in node.children if c is not above and c is not below)]
        if node.data in ("array", "signature", "call"):
            node.children = [part for child in node.children for part in letters_apart(child)]
    return tree


def letters_apart(index: Node) -> list[Node]:
    """The letters of a product of bare letters, each an index: ``ij``; anything else is one index."""
    if getattr(index, "data", "") == "times" and all(
        letter_of(part) or part.data == "times" for part in index.children
    ):
        return [letter for part in index.children for letter in letters_apart(part)]
    return [index]


def letter_of(node: Node) -> str:
    """The letter, if ``node`` is a lower-case letter and nothing more; else the empty string."""
    alone = getattr(node, "data", "") == "array" and len(node.children) == 1
    return str(node.children[0]) if alone and re.fullmatch("[a-z]", node.children[0]) else ""


def names_in(tree: Node) -> list[Node]:
    """The tokens of all names below ``tree``."""
    return list(tree.scan_values(lambda token: getattr(token, "type", "") in ("NAME", "FUNCTION")))


class Document:
    """A formula with its ``where`` definitions, read and checked: its text, its rows by name, its shapes."""

    def __init__(self, latex: str, where: Sequence[str], symbols: Mapping[str, str]) -> None:
        lines = [latex, *where]
        self.text = "\n\\text{where } ".join(lines)
        found = {name: re.match(r"\(([^)]*)\)", meaning) for name, meaning in symbols.items()}
        shapes = {name: re.findall(r"[^,\s][^,]*", match[1]) for name, match in found.items() if match}
        functions = {name for name, meaning in symbols.items() if meaning.startswith("function")}
        functions.update(match[1] for line in lines for match in re.finditer(SIGNATURE, line))
        declared = [*symbols, *(size for shape in shapes.values() for size in shape)]
        names = sorted(functions.union(name for name in declared if re.fullmatch(SCRIPTED, name)))
        self.tree = parse_latex(self.text, names, functions)
        self.shapes = {
            n: [parse_latex(size, names, functions, "expr") for size in shape] for n, shape in shapes.items()
        }
        rows = [self._row(tree) for tree in self.tree.children]
        self.rows = {row.name: [same for same in rows if same.name == row.name] for row in rows}
        sizes = [name for shape in self.shapes.values() for size in shape for name in names_in(size)]
        self.known = {*symbols, *self.rows, *map(str, sizes), "e", r"\pi", r"\infty"}
        spans = [node.children[1] for node in self.tree.find_data("reduce")]
        self.letters = {letter for row in rows for letter in row.letters}.union(str(span.children[0]) for span in spans)
        for row in rows:
            first = self.rows[row.name][0]
            if self.known.intersection(row.letters) or [*map(len, row[1:3])] != [*map(len, first[1:3])]:
                self.fail(row.tree, "an index on the left side has another meaning too, or the rows of one name differ")
            self._bind(row.tree, frozenset(row.letters + row.parameters))

    def _row(self, tree: Node) -> Definition:
        left, body = tree.children
        name, *indices = left.children
        parameters = indices.pop(0).children if left.data == "signature" else []
        letters = dict.fromkeys(str(n) for index in indices for n in names_in(index) if re.fullmatch("[a-z]", n))
        return Definition(str(name), list(map(str, parameters)), indices, list(letters), body, tree)

    def _bind(self, node: Node, scope: frozenset[str], in_index: bool = False) -> None:
        """Refuse an index that nothing binds, one bound twice, one that is also part of a name, and ``x^{(l)}``."""
        children = [child for child in node.children if hasattr(child, "data")]
        if node.data == "reduce":
            span, body = children
            inner = scope | {self._new_letter(span, scope)}
            self._bind(span, inner if span.data == "such_that" else scope)
            return self._bind(body, inner)
        if node.data == "array":
            name = node.children[0]
            if not children and name not in scope | self.known and (in_index or name in self.letters):
                self.fail(name, f"index {name} is not bound here; bind it on the left side or by a sum")
            for letter in scope:
                if re.search(rf"[_^].*(?<![a-zA-Z\\]){re.escape(letter)}(?![a-zA-Z])", name):
                    self.fail(name, f"{letter} is an index here and also part of the name {name}; rename one")
        if node.data == "power" and (children[1].data == "group" or children[1].children == ["T"]):
            self.fail(children[1], r"ambiguous exponent; write ^\top for the transpose, no parentheses for a power")
        for child in children:
            self._bind(child, scope, in_index or node.data == "array" or (node.data == "call" and child != children[0]))

    def _new_letter(self, span: Node, scope: frozenset[str]) -> str:
        r"""The index that a range binds; of ``{i - w < l \le i}`` the only letter that means nothing yet."""
        if span.data == "such_that":
            sides = [side.children[0] for side in span.children[0].children if letter_of(side)]
            span.children[:0] = [letter for letter in sides if letter not in scope | self.known][:1] or sides[:1]
        letter = span.children[0]
        if hasattr(letter, "data") or letter in scope | self.known:
            self.fail(span, "a range needs one new index; what stands here already has a meaning")
        return str(letter)

    def fail(self, place: Node | str, message: str) -> NoReturn:
        """Raise `EquationError` at a node, at a token, or where a name first occurs."""
        spots = [name for name in names_in(self.tree) if type(place) is str and name == place] or [place]
        first: Node = getattr(spots[0], "meta", spots[0])
        raise EquationError(message, self.text, getattr(first, "start_pos", 0))
