"""Random values for the symbols of formulas: numbers, arrays whose axes fit together, ids, and smooth functions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from minigpt.equations.evaluate import Evaluator
from minigpt.equations.formula import Equation
from minigpt.equations.operations import CONSTANTS
from minigpt.equations.parse import Node, letter_of, names_in

#: Where numbers are drawn from: whole numbers near 0, all real ones, positive ones, those between 0 and 1; the special
#: values 0, 1 and -1, the large ones 1000 and -1000, and the same numbers moved by a rounding error.
Domain = Literal["whole", "real", "positive", "share", "special", "large", "nearby"]
Key = tuple[str, Any]


@dataclass
class Symbols:
    """What must be drawn so that several formulas can be evaluated, as their indices and bounds show.

    Args:
        axes: of each array, the class of axes of one length that each of its axes belongs to.
        sizes: the class of each name that is the length of an axis or the end of a sum.
        ids: names whose value is an index, each with the classes of the axes that it indexes.
        numbers: single numbers.
        functions: names that are called.
        computed: declared axes whose length is an expression: (name, axis) to that expression.
    """

    axes: dict[str, list[Key]] = field(default_factory=dict)
    sizes: dict[str, Key] = field(default_factory=dict)
    ids: dict[str, list[Key]] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    computed: dict[tuple[str, int], Node] = field(default_factory=dict)

    @property
    def classes(self) -> list[Key]:
        """Each class of axes once."""
        return list(dict.fromkeys([*(key for keys in self.axes.values() for key in keys), *self.sizes.values()]))


class Survey:
    """Reads the trees of formulas and joins what must have the same length.

    Args:
        equations: the formulas, with the same symbols.
    """

    def __init__(self, equations: Sequence[Equation]) -> None:
        self.equations = equations
        self.parents: dict[Key, Key] = {}
        self.n_indices: dict[str, int] = {}
        self.uses: dict[str, list[Key]] = {}
        self.called: set[str] = set()
        self.bounds: list[str] = []
        for number, equation in enumerate(equations):
            for same in equation.document.rows.values():
                for row in same:
                    letters: dict[str, Key] = {letter: ("letter", (number, row.name, letter)) for letter in row.letters}
                    if row.name == equation.outputs[-1]:
                        letters = {letter: ("result", i) for i, letter in enumerate(row.letters)}
                    self._walk(row.tree, {**letters, **{name: ("parameter", name) for name in row.parameters}})

    def root(self, key: Key) -> Key:
        """The representative of everything that has the length of ``key``."""
        while (parent := self.parents.get(key, key)) != key:
            key = parent
        return key

    def _join(self, one: Key, other: Key) -> None:
        self.parents[self.root(one)] = self.root(other)

    def _walk(self, node: Node, scope: Mapping[str, Key]) -> None:
        if not hasattr(node, "data"):
            return
        if node.data == "reduce":
            span = node.children[1]
            letter = str(span.children[0])
            scope = {**scope, letter: ("letter", id(node))}
            if span.data == "from_to":
                self._same(span.children[2], scope[letter], scope)
        elif node.data in ("equality", "comparison") and all(letter_of(s) in scope for s in node.children[::2]):
            first, *others = (scope[letter_of(side)] for side in node.children[::2])
            for other in others:
                self._join(first, other)
        elif node.data == "array":
            name = str(node.children[0])
            self.n_indices[name] = max(self.n_indices.get(name, 0), len(node.children) - 1)
            for axis, index in enumerate(node.children[1:]):
                self._index(index, ("axis", (name, axis)), scope)
        elif node.data == "call":
            self.called.add(str(node.children[0]))
        for child in node.children:
            self._walk(child, scope)

    def _same(self, bound: Node, key: Key, scope: Mapping[str, Key]) -> None:
        name = str(bound.children[0]) if bound.data == "array" and len(bound.children) == 1 else ""
        if name in scope:
            self._join(key, scope[name])
        elif name:
            self.bounds.append(name)
            self._join(key, ("size", name))

    def _index(self, index: Node, axis: Key, scope: Mapping[str, Key]) -> None:
        names = list(map(str, names_in(index)))
        for name in names:
            if name in scope:
                self._join(axis, scope[name])
            elif letter_of(index) == name:
                self.uses.setdefault(name, []).append(axis)
        if index.data == "array" and len(index.children) > 1:  # p_{c_i}: an entry of c is the index
            self.uses.setdefault(str(index.children[0]), []).append(axis)

    def symbols(self) -> Symbols:
        """What has to be drawn."""
        found = Symbols()
        documents = [equation.document for equation in self.equations]
        shapes, declared = documents[0].shapes, {name for document in documents for name in document.declared}
        for name, dims in shapes.items():
            self.n_indices[name] = len(dims)
            for axis, dim in enumerate(dims):
                if dim.data == "array" and len(dim.children) == 1:
                    self.bounds.append(str(dim.children[0]))
                    self._join(("axis", (name, axis)), ("size", str(dim.children[0])))
                else:
                    found.computed[name, axis] = dim
        defined = {name for document in documents for name in document.rows}
        inputs = {name for equation in self.equations for name in equation.inputs.values()}
        bounds = set(self.bounds)
        for name in sorted(inputs.union(name for name in bounds if name in declared) - defined):
            if name in CONSTANTS and name not in shapes:
                continue
            if name in self.called or any(e.symbols.get(name, "").startswith("function") for e in self.equations):
                found.functions.append(name)
            elif name in bounds and not self.n_indices.get(name):
                found.sizes[name] = self.root(("size", name))
            elif self.n_indices.get(name):
                found.axes[name] = [self.root(("axis", (name, i))) for i in range(self.n_indices[name])]
            else:
                found.numbers.append(name)
        found.ids = {name: list(map(self.root, axes)) for name, axes in self.uses.items() if name in inputs - bounds}
        return found


def drawn_values(
    symbols: Symbols, lengths: Mapping[Key, int], domain: Domain, seed: int, equation: Equation
) -> dict[str, Any]:
    """One value for each symbol.

    Args:
        symbols: what to draw.
        lengths: of each class of axes.
        domain: of the numbers.
        seed: of the numbers.
        equation: one of the formulas, for axes whose length is an expression.
    """
    generator = np.random.default_rng(seed)
    given: dict[str, Any] = {name: np.float64(lengths[key]) for name, key in symbols.sizes.items()}
    sizes = Evaluator(equation.document, {})
    for name, keys in {**symbols.axes, **{name: [] for name in symbols.numbers}}.items():
        shape = [
            sizes.integer(symbols.computed[name, axis], given) if (name, axis) in symbols.computed else lengths[key]
            for axis, key in enumerate(keys)
        ]
        if name in symbols.ids:
            below = min(lengths[key] for key in symbols.ids[name])
            given[name] = generator.integers(1, below + 1, shape).astype(np.float64)
        else:
            given[name] = np.asarray(_numbers(generator, shape, domain, seed))
    given.update({name: smooth_function(number) for number, name in enumerate(symbols.functions)})
    return given


def _numbers(generator: np.random.Generator, shape: Sequence[int], domain: Domain, seed: int) -> Any:
    match domain:
        case "whole":
            return generator.integers(-2, 4, shape).astype(np.float64)
        case "real":
            return generator.normal(0, 1.2, shape)
        case "positive":
            return generator.uniform(0.2, 3, shape)
        case "special":
            return _chosen(generator, shape, (0.0, 1.0, -1.0), seed)
        case "large" | "nearby":
            return _chosen(generator, shape, (1e3, -1e3), seed) * (1 if domain == "large" else 1 + 1e-15)
    return generator.uniform(0.05, 0.95, shape)


def _chosen(generator: np.random.Generator, shape: Sequence[int], values: Sequence[float], seed: int) -> Any:
    """Each of the values once for all entries, so that all are equal; then any of them for each entry."""
    return np.full(shape, values[seed]) if seed < len(values) else generator.choice(values, shape)


def smooth_function(number: int) -> Callable[..., np.ndarray]:
    """A function without any symmetry, to stand for one that a formula calls."""

    def function(*arguments: Any) -> np.ndarray:
        total = sum((place + 1.3) * np.asarray(each, np.float64) for place, each in enumerate(arguments))
        return np.asarray(np.sin(total + number) + 0.3 * total + 0.7)

    return function


def lengths(classes: Sequence[Key], *, even: bool) -> Iterator[dict[Key, int]]:
    """Lengths for the classes of axes, small ones first: all 1, all 2, then unequal ones.

    Args:
        classes: to choose lengths for.
        even: whether axes such as "E/2" need even sizes.
    """
    step = 2 if even else 1
    if not even:
        yield dict.fromkeys(classes, 1)
    yield dict.fromkeys(classes, 2)
    source = random.Random(0)
    while True:
        yield {key: step * source.randint(1, 4 // step) for key in classes}
