"""Sizes that are not given: from the declared shapes, else from the axes that an index runs over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from minigpt.equations.errors import quantity
from minigpt.equations.parse import Node, letter_of, names_in
from minigpt.equations.syntax import Document


class _Evaluation(Protocol):  # the part that sizes need
    document: Document
    given: Mapping[str, Any]

    def value(self, node: Node, scope: Mapping[str, Any]) -> Any: ...
    def integer(self, node: Node, scope: Mapping[str, Any]) -> int: ...
    def spend(self, n_operations: int, node: Node | str) -> None: ...


class Reach(NamedTuple):
    """How far an index runs on one axis of a name."""

    name: Node
    axis: int
    length: int


class Sizes:
    """The sizes of one evaluation; two that disagree are an error at the place."""

    def __init__(self, evaluation: _Evaluation) -> None:
        self.evaluation, self.document = evaluation, evaluation.document
        self.values = {name: value for name, value in evaluation.given.items() if not callable(value)}
        self._asked: set[tuple[str, int]] = set()
        self.hold({name: np.shape(value) for name, value in self.values.items()})

    def hold(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Compare shapes with their declarations; the first axis of a size that is a plain name gives it its value."""
        axes = []
        for name, shape in shapes.items():
            declared = self.document.shapes.get(name)
            if declared is not None and len(declared) != len(shape):
                axes_said = quantity(len(declared), "axis", "axes")
                self.document.fail(name, f"{name} is declared with {axes_said}, got shape {shape}")
            axes += [(name, axis, dim) for axis, dim in enumerate(declared or ())]
        for name, axis, dim in sorted(axes, key=lambda each: each[2].data != "array"):
            length, size = shapes[name][axis], self._declared(dim)
            if size is None and dim.data == "array":
                self.values[str(dim.children[0])] = length
            elif size not in (None, length):
                known = ", ".join(f"{part} is {self.values[part]:g}" for part in dict.fromkeys(names_in(dim)))
                message = f"axis {axis + 1} of {name} has length {length}; expected {size:g}, since {known} elsewhere"
                self.document.fail(name, message)

    def extent(self, letter: str, tree: Node, scope: Mapping[str, Any]) -> int:
        """How far an index runs in ``tree``."""
        length = self._agreed(letter, tree, scope)
        if length is None:
            self.document.fail(tree, f"the range of {letter} is unknown: write its bounds or declare shapes in symbols")
        return length

    def scopes(self, node: Node, scope: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The scope of each term of a sum, product or extremum, in order."""
        span, body = node.children[1:]
        letter, first = str(span.children[0]), 1
        if span.data == "from_to":
            first, last = (self.evaluation.integer(bound, scope) for bound in span.children[1:])
        else:
            last = self.extent(letter, body, scope)
        self.evaluation.spend(max(0, last - first + 1), node)
        for i in range(first, last + 1):
            inner = {**scope, letter: i}
            if span.data != "such_that" or self.evaluation.value(span.children[1], inner):
                yield inner

    def find(self, name: str, scope: Mapping[str, Any]) -> int | None:
        """A size that was not given, such as ``n``: that of the axes over which the sums up to it run."""
        for node in self.document.tree.find_data("reduce"):
            span, body = node.children[1:]
            if name not in self.values and span.data == "from_to" and span.children[2].children == [name]:
                length = self._agreed(span.children[0], body, scope)
                self.values.update({name: length} if length is not None else {})
        return self.values.get(name)

    def _declared(self, dim: Node) -> int | None:
        known = all(name in self.values for name in names_in(dim))
        return self.evaluation.value(dim, self.values) if known else None

    def _agreed(self, letter: str, tree: Node, scope: Mapping[str, Any]) -> int | None:
        """The length of all axes where ``letter`` is alone; else how far an index such as ``2i-1`` reaches."""
        alone, inside = [], []
        for array in tree.find_data("array"):
            for axis, index in enumerate(array.children[1:]):
                length = self._length(array.children[0], axis, scope) if letter in names_in(index) else None
                if length is not None and letter_of(index) == letter:
                    alone.append(Reach(array.children[0], axis, length))
                elif length is not None and index.data != "before" and names_in(index) == [letter]:
                    offset, after = (self.evaluation.integer(index, {letter: i}) for i in (0, 1))
                    inside.append(Reach(array.children[0], axis, (length - offset) // (after - offset)))
        found = sorted(self._shortened(alone, inside, tree) or inside, key=lambda reach: reach.name.start_pos)
        for name, _, length in found:
            if length != found[0].length:
                message = f"{letter} runs over {found[0].length} in {found[0].name}, but over {length} here"
                self.document.fail(name, f"{message}; an index needs axes of one length")
        return found[0].length if found else None

    def _shortened(self, alone: list[Reach], inside: list[Reach], tree: Node) -> list[Reach]:
        """The axes where an index is alone, without those that the declared left side of ``d_i = x_{i+1} - x_i`` cuts.

        An axis may be longer than the left side is declared, if ``i+1`` takes the rest of it.
        """
        left = tree.children[0].children[0] if tree.data == "definition" else None
        declared = [reach.length for reach in alone if reach.name is left and str(left) in self.document.shapes]
        cut = {(str(reach.name), reach.axis) for reach in inside if [reach.length] == declared}
        return [reach for reach in alone if [reach.length] == declared or (str(reach.name), reach.axis) not in cut]

    def _length(self, name: str, axis: int, scope: Mapping[str, Any]) -> int | None:
        """The length of one axis, if a value, a declaration or the left side of its row gives it."""
        shape = np.shape(scope.get(name, self.values.get(name)))
        if name in scope or name in self.values:
            return shape[axis] if axis < len(shape) else None
        declared, rows = self.document.shapes.get(name, ())[axis : axis + 1], self.document.rows.get(name, ())
        lengths = [int(size) for dim in declared if (size := self._declared(dim)) is not None and size == int(size)]
        for row in (row for row in rows if axis < len(row.indices)):
            if not lengths and (letter := letter_of(row.indices[axis])) and (name, axis) not in self._asked:
                self._asked.add((name, axis))
                lengths = [length for length in [self._agreed(letter, row.tree, scope)] if length is not None]
                self._asked.discard((name, axis))
        return lengths[0] if lengths else None
