r"""The literal value of an equation in float64: sums run term by term, indices count from 1, nothing is rearranged.

A vector is a column after a matrix and a row before one; vector by vector needs ``\cdot`` or ``\odot``. Functions
of one number, roots, quotients and powers act on each element of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from minigpt.equations.sizes import Sizes
from minigpt.equations.syntax import Definition, Document, Node

Scope = Mapping[str, Any]
EntryKey = tuple[int, ...]
NOTHING: Scope = {}
CONSTANTS = {"e": math.e, r"\pi": math.pi, r"\infty": math.inf}
FUNCTIONS: dict[str, Callable] = {
    **{rf"\{name}": getattr(np, name) for name in ("exp", "log", "sin", "cos", "tanh")},
    r"\log_2": np.log2,
    r"\operatorname{erf}": np.vectorize(math.erf, otypes=[float]),
    r"\operatorname{sign}": np.sign,
}
COMBINE: dict[str, Callable] = {r"\sum": np.add, r"\prod": np.multiply, r"\max": np.maximum, r"\min": np.minimum}
RELATIONS = {"<": np.less, ">": np.greater, r"\le": np.less_equal, r"\ge": np.greater_equal, r"\ne": np.not_equal}
ARITHMETIC: dict[str, Callable] = {
    "add": np.add,
    "subtract": np.subtract,
    "negative": np.negative,
    "group": np.positive,
    "hadamard": np.multiply,
    "quotient": np.divide,
    "fraction": np.divide,
    "power": np.power,
    "root": np.sqrt,
    "ceiling": np.ceil,
    "floor": np.floor,
    "equality": np.equal,
    "indicator": np.float64,
}


class Evaluator:
    """One evaluation: the values given, the sizes they fix, and the entries computed so far, in their order."""

    def __init__(self, document: Document, given: Mapping[str, Any]) -> None:
        self.document, self.given = document, given
        self.order: list[tuple[Definition, Scope, Any]] = []
        self._plans: dict[str, dict[EntryKey, tuple[Definition, Scope]]] = {}
        self._entries: dict[tuple[str, EntryKey], Any] = {}
        self.sizes = Sizes(self)

    def value(self, node: Node, scope: Scope) -> Any:
        """The value of ``node``; ``scope`` holds the indices and parameters bound around it."""
        if node.data in ARITHMETIC:
            return self._each(ARITHMETIC[node.data], [self.value(child, scope) for child in node.children], node)
        return getattr(self, f"_{node.data}")(node, scope)

    def integer(self, node: Node, scope: Scope) -> int:
        """The value of an index, a bound or a size."""
        value = self.value(node, scope)
        if np.ndim(value) or not np.isfinite(value) or value != np.floor(value):
            self.document.fail(node, f"expected a whole number here, got {value}")
        return int(value)

    # What the equation defines, entry by entry.

    def whole(self, name: str, scope: Scope = NOTHING) -> np.ndarray:
        """All entries of a defined name, put together."""
        keys = sorted(key for key in self._plan(name, scope) if min(key, default=1) > 0)
        shape = tuple(map(max, zip(*keys, strict=True)))
        for key in product(*(range(1, length + 1) for length in shape)):
            if key not in keys:
                self.document.fail(name, f"entry {key} of {name} is not defined")
        values = [self.entry(name, key, name, scope) for key in keys]
        if len({np.shape(value) for value in values}) > 1:
            self.document.fail(name, f"the entries of {name} have different shapes")
        return np.array(values).reshape(shape + np.shape(values[0]))

    def entry(self, name: str, key: EntryKey, place: Node | str, scope: Scope = NOTHING) -> Any:
        """One entry of a defined name, remembered unless it depends on the arguments of a function."""
        if scope or (name, key) not in self._entries:
            if key not in (plan := self._plan(name, scope)):
                self.document.fail(place, f"{name} has no entry {key}: out of range, or a recurrence without base case")
            row, bound = plan[key]
            self._entries[name, key] = None
            self._entries[name, key] = self.value(row.body, {**scope, **bound})
            self.order.append((row, bound, self._entries[name, key]))
        value = self._entries[name, key]
        return self.document.fail(place, f"{name} is defined by itself") if value is None else value

    def _plan(self, name: str, scope: Scope) -> dict[EntryKey, tuple[Definition, Scope]]:
        """Which row, with which values of its letters, defines each entry; base cases come first."""
        if scope or name not in self._plans:
            plan: dict[EntryKey, tuple[Definition, Scope]] = {}
            for row in sorted(self.document.rows[name], key=lambda row: bool(row.letters)):
                spans = [range(1, self.sizes.extent(letter, row.tree, scope) + 1) for letter in row.letters]
                for numbers in product(*spans):
                    bound = dict(zip(row.letters, numbers, strict=True))
                    key = tuple(self.integer(index, {**scope, **bound}) for index in row.indices)
                    if key in plan and (plan[key][0].letters or not row.letters):
                        self.document.fail(row.tree, f"entry {key} of {name} is defined twice")
                    plan.setdefault(key, (row, bound))
            self._plans[name] = plan
        return self._plans[name]

    # Names, indices and calls.

    def _number(self, node: Node, scope: Scope) -> float:
        return float(node.children[0])

    def _array(self, node: Node, scope: Scope) -> Any:
        name, *indices = node.children
        at = [self._index(index, scope) for index in indices]
        for values in (scope, self.given, CONSTANTS):
            if callable(values.get(name)):
                self.document.fail(node, f"{name} is given as a function; declare it as one in symbols")
            if name in values:
                return self._take(values[name], at, node)
        if name not in self.document.rows:
            size = self.sizes.find(name, scope)
            return self.document.fail(name, f"{name} has no value; give it to evaluate") if size is None else size
        depth = len(self.document.rows[name][0].indices)
        if len(at) < depth or slice in map(type, at):
            return self._take(self.whole(name), at, node)
        return self._take(self.entry(name, tuple(at[:depth]), node), at[depth:], node)

    def _index(self, node: Node, scope: Scope) -> Any:
        return slice(self.integer(node.children[0], scope) - 1) if node.data == "before" else self.integer(node, scope)

    def _take(self, source: Any, at: list[Any], node: Node) -> Any:
        """Entries of an array by indices that count from 1."""
        if len(at) > np.ndim(source):
            self.document.fail(node, f"{len(at)} indices on {np.ndim(source)} axes")
        for index, length in zip(at, np.shape(source), strict=False):
            if type(index) is int and not 1 <= index <= length:
                self.document.fail(node, f"index {index} of {node.children[0]} is outside 1..{length}")
        return source[tuple(index if type(index) is slice else index - 1 for index in at)] if at else source

    def _call(self, node: Node, scope: Scope) -> Any:
        name, arguments, *indices = node.children
        values, given = [self.value(argument, scope) for argument in arguments.children], self.given.get(name)
        rows, at = self.document.rows.get(name), [self._index(index, scope) for index in indices]
        if name in COMBINE and len(values) > 1:
            return self._each(lambda *terms: reduce(COMBINE[name], terms), values, node)
        if name in FUNCTIONS and len(values) == 1:
            return FUNCTIONS[name](values[0])
        if callable(given):
            return self._take(np.asarray(given(*values), dtype=np.float64), at, node)
        if rows and len(rows[0].parameters) == len(values):
            return self._take(self.apply(name, values), at, node)
        return self.document.fail(node, f"{name} is no function of {len(values)} argument(s)")

    def apply(self, name: str, values: list[Any]) -> Any:
        """A function that the equation defines; one declared for single numbers maps over arrays."""
        parameters = self.document.rows[name][0].parameters

        def once(*arguments: Any) -> Any:
            return self.whole(name, dict(zip(parameters, arguments, strict=True)))

        scalar = all(self.document.shapes.get(parameter) == [] for parameter in parameters)
        return np.vectorize(once, otypes=[np.float64])(*values) if scalar else once(*values)

    # Arithmetic.

    def _each(self, function: Callable, values: list[Any], node: Node) -> Any:
        shapes = [np.shape(value) for value in values]
        if len({shape for shape in shapes if shape}) > 1:
            self.document.fail(node, f"shapes {' and '.join(map(str, shapes))} do not fit")
        if node.data in ("power", "quotient", "fraction") and (len(shapes[0]) > 1 or len(shapes[1]) > 1):
            self.document.fail(node, "a quotient or power of matrices is ambiguous; write it with indices")
        return function(*values)

    def _times(self, node: Node, scope: Scope) -> Any:
        left, right = (self.value(child, scope) for child in node.children)
        if not np.ndim(left) or not np.ndim(right):
            return left * right
        if np.ndim(left) == np.ndim(right) == 1:
            self.document.fail(node.children[1], r"vector by vector; write \cdot or \odot")
        if np.ndim(left) > 2 or np.ndim(right) > 2 or np.shape(left)[-1] != np.shape(right)[0]:
            self.document.fail(node.children[1], f"cannot multiply shapes {np.shape(left)} and {np.shape(right)}")
        return left @ right

    def _dot(self, node: Node, scope: Scope) -> Any:
        left, right = (self.value(child, scope) for child in node.children)
        if np.ndim(left) and np.ndim(right) and (np.ndim(left) > 1 or np.shape(left) != np.shape(right)):
            self.document.fail(
                node, rf"\cdot needs two vectors of one length, got {np.shape(left)} and {np.shape(right)}"
            )
        return np.sum(left * right) if np.ndim(left) and np.ndim(right) else left * right

    def _transpose(self, node: Node, scope: Scope) -> Any:
        value = self.value(node.children[0], scope)
        return value.T if np.ndim(value) == 2 else self.document.fail(node, r"\top needs a matrix")

    def _norm(self, node: Node, scope: Scope) -> Any:
        return np.sqrt(np.sum(np.square(self.value(node.children[0], scope))))

    def terms(self, node: Node, scope: Scope) -> list[tuple[Scope, Any]]:
        """What a sum, product or extremum runs over: the scope and the value of each term."""
        span, body = node.children[1:]
        letter, first = str(span.children[0]), 1
        if span.data == "from_to":
            first, last = (self.integer(bound, scope) for bound in span.children[1:])
        else:
            last = self.sizes.extent(letter, body, scope)
        inner = [{**scope, letter: i} for i in range(first, last + 1)]
        kept = [each for each in inner if span.data != "such_that" or self.value(span.children[1], each)]
        return [(each, self.value(body, each)) for each in kept]

    def _reduce(self, node: Node, scope: Scope) -> Any:
        name, values = str(node.children[0]), [value for _, value in self.terms(node, scope)]
        if not values and name in (r"\max", r"\min"):
            self.document.fail(node, f"{name} over nothing")
        empty = 1.0 if name == r"\prod" else 0.0
        return reduce(lambda left, right: self._each(COMBINE[name], [left, right], node), values) if values else empty

    def _comparison(self, node: Node, scope: Scope) -> bool:
        sides = [self.value(side, scope) for side in node.children[::2]]
        return all(RELATIONS[sign](*sides[i : i + 2]) for i, sign in enumerate(node.children[1::2]))

    def case(self, node: Node, scope: Scope) -> Node:
        """The expression of the first case that holds; the others are not evaluated."""
        for value, *condition in (case.children for case in node.children):
            if not condition or self.value(condition[0], scope):
                return value
        return self.document.fail(node, r"no case holds; end with \text{otherwise}")

    def _cases(self, node: Node, scope: Scope) -> Any:
        return self.value(self.case(node, scope), scope)
