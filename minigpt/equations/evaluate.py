r"""The literal value of an equation in float64: sums run term by term, indices count from 1, nothing is rearranged.

A vector is a column after a matrix and a row before one; vector by vector needs ``\cdot``, ``\odot`` or ``\top``.
Functions of one number, roots, quotients and powers act on each element of a vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from itertools import product
from typing import Any

import numpy as np

from minigpt.equations import operations as ops
from minigpt.equations.errors import MAX_OPERATIONS, MAX_WAITING, TOO_DEEP, quantity, too_many, written
from minigpt.equations.parse import Node, chain, names_in
from minigpt.equations.sizes import Sizes
from minigpt.equations.syntax import EULER, Definition, Document

Scope = Mapping[str, Any]
EntryKey = tuple[int, ...]
NOTHING: Scope = {}


class Evaluator:
    """One evaluation: the values given, the sizes they fix, and the entries computed so far, in their order."""

    def __init__(self, document: Document, given: Mapping[str, Any], n_operations: int = 0) -> None:
        self.document, self.given, self.n_operations = document, given, n_operations
        self.order: list[tuple[Definition, Scope, Any]] = []
        self._plans: dict[str, dict[EntryKey, tuple[Definition, Scope]]] = {}
        self._entries: dict[tuple[str, EntryKey], Any] = {}
        self._n_waiting = 0
        self.sizes = Sizes(self)

    def value(self, node: Node, scope: Scope, *, is_factor: bool = False) -> Any:
        r"""The value of ``node``; what is added or multiplied in a row is taken from the left, without recursion.

        Args:
            node: an expression.
            scope: the indices and parameters bound around it.
            is_factor: of a product, where $u^\top$ is a row.
        """
        *outer, first = chain(node)
        self.spend(len(outer) + 1, node)
        self._n_waiting += 1
        if self._n_waiting > MAX_WAITING:
            self.document.fail(node, TOO_DEEP)
        if (operation := ops.ARITHMETIC.get(first.data)) is not None:
            value = self._each(operation, [self.value(child, scope) for child in first.children], first)
        elif (operation := ops.OF_VECTORS.get(first.data)) is not None:
            value = self._try(operation, first, *[self.value(child, scope) for child in first.children])
        else:
            value = getattr(self, f"_{first.data}")(first, scope)
        for each in reversed(outer):
            left, right = each.children
            if each.data == "times":
                value = self._try(ops.product, right, value, self.value(right, scope, is_factor=True))
            else:
                values = [self._without_direction(value, left), self.value(right, scope)]
                value = self._each(ops.ARITHMETIC[each.data], values, each)
        self._n_waiting -= 1
        return value if is_factor else self._without_direction(value, node)

    def _without_direction(self, value: Any, node: Node) -> Any:
        """A value that leaves a product: a row times a matrix is a vector like any other."""
        if isinstance(value, ops.RowVector) and node.data == "transpose":
            self.document.fail(node, r"\top of a vector needs a factor after it, as in u^\top A v; alone, write u")
        return value.entries if isinstance(value, ops.RowVector) else value

    def integer(self, node: Node, scope: Scope) -> int:
        """The value of an index, a bound or a size."""
        value = self.value(node, scope)
        if np.ndim(value) or not np.isfinite(value) or value != np.floor(value):
            fix = "; a sum without end has no literal value: write its last term" * bool(np.isinf(value).all())
            is_euler = "e" in names_in(node) and "e" not in self.document.declared
            fix = f"; {EULER}: choose another letter, or declare e in symbols" if is_euler else fix
            self.document.fail(node, f"expected a whole number here, got {value}{fix}")
        return int(value)

    def spend(self, n_operations: int, node: Node | str) -> None:
        """Count operations; those beyond the limit are refused before they are done."""
        self.n_operations += n_operations
        if self.n_operations > MAX_OPERATIONS:
            self.document.fail(node, too_many(self.n_operations, MAX_OPERATIONS))

    def _try(self, operation: Callable, node: Node, *values: Any) -> Any:
        """The result of an operation, whose elements are counted; what it refuses is an error at ``node``."""
        self.spend(ops.n_elements(operation, values), node)
        try:
            return operation(*values)
        except ValueError as error:
            return self.document.fail(node, str(error))

    # What the equation defines, entry by entry.

    def whole(self, name: str, scope: Scope = NOTHING) -> np.ndarray:
        """All entries of a defined name as one array."""
        plan = self._plan(name, scope)
        keys = sorted(key for key in plan if min(key, default=1) > 0)
        shape = tuple(map(max, zip(*keys, strict=True)))
        for key in product(*(range(1, length + 1) for length in shape)):
            if key not in plan:
                self.document.fail(name, f"entry {written(key)} of {name} is not defined")
        values = [self.entry(name, key, name, scope) for key in keys]
        if len({np.shape(value) for value in values}) > 1:
            self.document.fail(name, f"the entries of {name} have different shapes")
        self.spend(sum(value.size for value in values if np.ndim(value)), name)
        return np.array(values).reshape(shape + np.shape(values[0]))

    def entry(self, name: str, key: EntryKey, place: Node | str, scope: Scope = NOTHING) -> Any:
        """One entry of a defined name, remembered unless it depends on the arguments of a function."""
        if scope or (name, key) not in self._entries:
            if key not in (plan := self._plan(name, scope)):
                self.document.fail(
                    place, f"{name} has no entry {written(key)}: it is out of range, or where needs the base case"
                )
            row, bound = plan[key]
            self._entries[name, key] = None
            try:
                self._entries[name, key] = self.value(row.body, {**scope, **bound})
            except RecursionError:
                self.document.fail(place, TOO_DEEP)
            self.order.append((row, bound, self._entries[name, key]))
        value = self._entries[name, key]
        return self.document.fail(place, f"{name} is defined by itself") if value is None else value

    def _plan(self, name: str, scope: Scope) -> dict[EntryKey, tuple[Definition, Scope]]:
        """Which row, with which values of its letters, defines each entry; base cases come first."""
        if scope or name not in self._plans:
            plan: dict[EntryKey, tuple[Definition, Scope]] = {}
            for row in sorted(self.document.rows[name], key=lambda row: bool(row.letters)):
                spans = [range(1, self.sizes.extent(letter, row.tree, scope) + 1) for letter in row.letters]
                self.spend(math.prod(map(len, spans)), row.tree)
                for numbers in product(*spans):
                    bound = dict(zip(row.letters, numbers, strict=True))
                    key = tuple(self.integer(index, {**scope, **bound}) for index in row.indices)
                    if key in plan and (plan[key][0].letters or not row.letters):
                        self.document.fail(row.tree, f"entry {written(key)} of {name} is defined twice")
                    plan.setdefault(key, (row, bound))
            self._plans[name] = plan
        return self._plans[name]

    # Names, indices and calls.

    def _number(self, node: Node, scope: Scope) -> float:
        return float(node.children[0])

    def _array(self, node: Node, scope: Scope) -> Any:
        name, *indices = node.children
        at = [self._index(index, scope) for index in indices]
        for values in (scope, self.given, ops.CONSTANTS):
            if callable(values.get(name)):
                self.document.fail(node, f"{name} is given as a function; declare it as one in symbols")
            if name in values:
                return self._take(values[name], at, node)
        if name not in self.document.rows:
            size = self.sizes.find(name, scope)
            return self.document.fail(name, f"{name} has no value; pass it to evaluate") if size is None else size
        depth = len(self.document.rows[name][0].indices)
        if len(at) < depth or slice in map(type, at):
            return self._take(self.whole(name), at, node)
        return self._take(self.entry(name, tuple(at[:depth]), node), at[depth:], node)

    def _index(self, node: Node, scope: Scope) -> Any:
        return slice(self.integer(node.children[0], scope) - 1) if node.data == "before" else self.integer(node, scope)

    def _take(self, source: Any, at: list[Any], node: Node) -> Any:
        return self._try(ops.entries, node, str(node.children[0]), source, at)

    def _call(self, node: Node, scope: Scope) -> Any:
        name, arguments, *indices = node.children
        values, given = [self.value(argument, scope) for argument in arguments.children], self.given.get(name)
        rows, at = self.document.rows.get(name), [self._index(index, scope) for index in indices]
        if name in ops.COMBINE and len(values) > 1:
            return self._each(lambda *terms: reduce(ops.COMBINE[name], terms), values, node)
        if name in ops.FUNCTIONS and len(values) == 1:
            return self._try(ops.FUNCTIONS[name], node, values[0])
        if callable(given):
            return self._take(self._try(np.float64, node, given(*values)), at, node)
        if rows and len(rows[0].parameters) == len(values):
            return self._take(self.apply(name, values), at, node)
        return self.document.fail(node, f"{name} is not a function of {quantity(len(values), 'argument')}")

    def apply(self, name: str, values: list[Any]) -> Any:
        """A function that the equation defines; one declared for single numbers maps over arrays."""
        parameters = self.document.rows[name][0].parameters

        def once(*arguments: Any) -> Any:
            return self.whole(name, dict(zip(parameters, arguments, strict=True)))

        scalar = all(self.document.shapes.get(parameter) == [] for parameter in parameters)
        self.spend(math.prod(self._try(np.broadcast_shapes, name, *map(np.shape, values))) if scalar else 0, name)
        return np.vectorize(once, otypes=[np.result_type(np.float64, *values)])(*values) if scalar else once(*values)

    # Arithmetic.

    def _each(self, function: Callable, values: list[Any], node: Node) -> Any:
        return self._try(ops.elementwise, node, node.data, values, function)

    def _transpose(self, node: Node, scope: Scope) -> Any:
        value = self.value(node.children[0], scope)
        if np.ndim(value) not in (1, 2):
            self.document.fail(node, rf"\top needs a vector or a matrix, got {np.ndim(value)} axes")
        return value.T if np.ndim(value) == 2 else ops.RowVector(value)

    def terms(self, node: Node, scope: Scope) -> Iterator[tuple[Scope, Any]]:
        """What a sum, product or extremum runs over: the scope and the value of each term."""
        return ((inner, self.value(node.children[2], inner)) for inner in self.sizes.scopes(node, scope))

    def _reduce(self, node: Node, scope: Scope) -> Any:
        name, letter = str(node.children[0]), str(node.children[1].children[0])
        terms = [(inner[letter], value) for inner, value in self.terms(node, scope)]
        values = [value for _, value in terms]
        if not values and name not in (r"\sum", r"\prod"):
            self.document.fail(node, f"{name} over nothing")
        if name in ops.ARG_EXTREMA:
            if any(map(np.ndim, values)):
                self.document.fail(node, f"{name} compares numbers, not arrays; write the body with indices")
            return float(terms[ops.ARG_EXTREMA[name](values)][0])
        if not values:
            return float(name == r"\prod")
        return reduce(lambda left, right: self._each(ops.COMBINE[name], [left, right], node), values)

    def _comparison(self, node: Node, scope: Scope) -> bool:
        sides = [self.value(side, scope) for side in node.children[::2]]
        return self._try(ops.relations_hold, node, sides, node.children[1::2])

    def case(self, node: Node, scope: Scope) -> Node:
        """The expression of the first case that holds; the others are not evaluated."""
        for value, *condition in (case.children for case in node.children):
            if not condition or self._try(ops.is_true, condition[0], self.value(condition[0], scope)):
                return value
        return self.document.fail(node, r"no case holds; end with \text{otherwise}")

    def _cases(self, node: Node, scope: Scope) -> Any:
        return self.value(self.case(node, scope), scope)
