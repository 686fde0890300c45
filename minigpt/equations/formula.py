"""An equation: LaTeX that is shown, printed and evaluated."""

from __future__ import annotations

import inspect
import keyword
import math
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from minigpt.equations.board import Board, Steps, Writer
from minigpt.equations.errors import EquationError, quantity
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.explorer import Exploration, explored, refuse_large
from minigpt.equations.operations import COMBINE, CONSTANTS, FUNCTIONS
from minigpt.equations.parse import names_in
from minigpt.equations.syntax import Document


def spell(latex: str) -> str:
    r"""The keyword of a name: ``theta_t_minus_1`` of ``\theta_{t-1}``, ``v_prime`` of ``v'``, ``W_Q`` of ``W^{Q}``."""
    name = re.sub(r"\\frac\{\\partial (.*)\}\{\\partial (.*)\}$", r"d\1_d\2", latex).replace(r"\mathrm", "")
    name = re.sub(r"\\(hat|bar)\{(.*?)\}", r"\2_\1", name).replace("'", "_prime").replace("-", "_minus_")
    name = re.sub(r"[\\{} ]", "", name.replace("^", "_"))
    return name + "_" * keyword.iskeyword(name)


def real_numbers(value: Any) -> np.ndarray:
    """A number, an array or a tensor of any kind in float64.

    Raises:
        ValueError: with what was got, if something in it is not a real number, or is too large.
    """
    try:
        if hasattr(value, "detach"):
            value = value.detach().cpu()
            value = value if value.is_complex() else value.double()
        array = np.asarray(value)
        if array.dtype.kind in "biuf" or all(isinstance(each, Real | Decimal) for each in array.flat):
            return array.astype(np.float64, copy=False)
    except OverflowError:
        raise ValueError("a number too large for float64") from None
    except (RuntimeError, TypeError, ValueError):
        pass  # lists of different lengths, or of tensors of other kinds; a tensor without numbers
    try:
        shown = " ".join(reprlib.repr(value).split())
    except ValueError:  # Python refuses to write a whole number of 4,301 digits
        shown = f"a {type(value).__name__}"
    raise ValueError(shown)


def _takes(function: Callable, n_arguments: int) -> bool:
    """Whether a function can be called with so many arguments; True where Python does not know."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(n_arguments))
    except TypeError:
        return False
    return True


@dataclass(frozen=True, eq=False, repr=False)
class Equation:
    r"""A formula in LaTeX, with what is needed to evaluate it literally.

    Args:
        name: short and unique, with dashes.
        latex: one definition, or a system in ``aligned``; it is read when the equation is first used.
        where: definitions that the formula uses, and base cases of recurrences.
        symbols: what each name means, starting with its shape: ``{"v": "(n, d) token vectors"}``; ``()`` is a single
            number, ``function`` something to call. A name with a subscript or superscript must be declared here.
        source: section or paper, and equation number.
        function: the function that implements it.
    """

    name: str
    latex: str
    where: Sequence[str] = ()
    symbols: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    function: Callable | None = None

    @cached_property
    def document(self) -> Document:
        """The LaTeX, read; raises `EquationError` at the place that cannot be read."""
        return Document(self.latex, self.where, self.symbols)

    @property
    def outputs(self) -> list[str]:
        """The names that the formula defines, as LaTeX; the last one is its result."""
        rows = self.document.tree.children[: len(self.document.tree.children) - len(self.where)]
        return list(dict.fromkeys(str(row.children[0].children[0]) for row in rows))

    @property
    def inputs(self) -> dict[str, str]:
        """What `evaluate` accepts: keyword to LaTeX name. Sizes may be left out."""
        tree, rows = self.document.tree, [row for same in self.document.rows.values() for row in same]
        bound = {str(node.children[1].children[0]) for node in tree.find_data("reduce")}
        bound.update(
            *(row.letters for row in rows),
            self.document.rows,
            FUNCTIONS,
            COMBINE,
            CONSTANTS.keys() - self.symbols.keys(),
        )
        return {spell(name): name for name in sorted({*map(str, names_in(tree)), *self.document.known} - bound)}

    def evaluate(self, **arrays: Any) -> np.ndarray:
        """The literal value of the left side (of a system: of its last row), in float64, indices from 1.

        Args:
            arrays: arrays, tensors, numbers or functions, named as in `inputs`.
        Returns:
            A float64 array of the shape that the left side has.
        Raises:
            EquationError: a name without a value, shapes or sizes that disagree; points at the place.
            ValueError: a keyword that the equation does not have.
        """
        return list(self.evaluate_all(**arrays).values())[-1]

    def evaluate_all(self, **arrays: Any) -> dict[str, np.ndarray]:
        """As `evaluate`, for every row of a system: keyword to value."""
        given, name = self._given(arrays), self.outputs[-1]
        shapes, parameters = self.document.shapes, self.document.rows[name][0].parameters
        mapped = [p for p in parameters if p in given and shapes.get(p) == [] and np.ndim(given[p])]

        n_operations = 0

        def once(*numbers: Any) -> np.ndarray:
            nonlocal n_operations
            evaluation = Evaluator(self.document, {**given, **dict(zip(mapped, numbers, strict=True))}, n_operations)
            value = self._values(evaluation)[spell(name)]
            n_operations = evaluation.n_operations
            return value

        with np.errstate(all="ignore"):
            if not mapped:
                return self._values(Evaluator(self.document, given))
            whole = [given[p] for p in mapped]
            Evaluator(self.document, {}).spend(math.prod(np.broadcast_shapes(*map(np.shape, whole))), name)
            return {spell(name): np.vectorize(once, otypes=[np.float64])(*whole)}

    def _values(self, evaluation: Evaluator) -> dict[str, np.ndarray]:
        values = {name: evaluation.whole(name) for name in self.outputs}
        evaluation.sizes.hold({name: value.shape for name, value in values.items()})
        return {spell(name): value for name, value in values.items()}

    def _given(self, arrays: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords to LaTeX names; arrays and tensors of any kind to float64."""
        inputs, given = self.inputs, {}
        for key, value in arrays.items():
            name = key if key in inputs.values() else inputs.get(key)
            if name is None:
                euler = "; e is Euler's number, unless symbols declares it" * (key == "e")
                raise ValueError(f"{self.name} has no input {key!r}; it has {', '.join(inputs) or 'none'}{euler}")
            given[name] = self._checked(name, value) if callable(value) else self._real(name, "be", value)
        return given

    def _checked(self, name: str, function: Callable) -> Callable:
        def called(*arguments: Any) -> np.ndarray:
            if not _takes(function, len(arguments)):
                n = quantity(len(arguments), "argument")
                self.document.fail(
                    name, f"{name} is called with {n} here, which the function given for it does not take"
                )
            return self._real(name, "return", function(*arguments))

        return called

    def _real(self, name: str, verb: str, value: Any) -> np.ndarray:
        try:
            return real_numbers(value)
        except ValueError as error:
            return self.document.fail(name, f"{name} must {verb} a number or an array of real numbers, got {error}")

    def _whole(self, letter: str, value: Any) -> int:
        """An index that was given."""
        number = self._real(letter, "be", value)
        if number.ndim or isinstance(value, bool) or not abs(number) < 2**53 or number != np.floor(number):
            self.document.fail(letter, f"the index {letter} must be a whole number, got {reprlib.repr(value)}")
        return int(number)

    def steps(self, **arrays: Any) -> Steps:
        """One output walked through its terms: arrays as for `evaluate`, and the indices of the output, from 1.

        An index that is left out takes all its values.

        Raises:
            EquationError: as `evaluate`, or if an index is not a whole number.
        """
        name = self.outputs[-1]
        letters = {letter for row in self.document.rows[name] for letter in row.letters}
        at = {letter: self._whole(letter, arrays.pop(letter)) for letter in letters.intersection(arrays)}
        with np.errstate(all="ignore"):
            return Board(Evaluator(self.document, self._given(arrays))).steps(name, at)

    def explore(self, **arrays: Any) -> Exploration:
        """The formula with its values, to be touched: a notebook shows each symbol's, and each sum term by term.

        Args:
            arrays: as for `evaluate`; a few numbers each, since all values are computed and shown.

        Raises:
            EquationError: as `evaluate`.
            ValueError: if there is too much to show; the message says what is too large.
        """
        given = self._given(arrays)
        missing = [name for name in self.inputs.values() if self.document.shapes.get(name)]
        if missing and not given:
            raise EquationError(f"explore needs {', '.join(missing)}", self.document.text, 0)
        for name, value in given.items():
            if not callable(value) and 0 in np.shape(value):
                axis = np.shape(value).index(0) + 1
                self.document.fail(name, f"axis {axis} of {name} is empty; explore needs at least one number")
        with np.errstate(all="ignore"):
            evaluation = Evaluator(self.document, given)
            refuse_large(evaluation)
            return explored(self, evaluation, self.steps(**arrays))

    def __str__(self) -> str:
        lines = [Writer().plain(row, {}) for row in self.document.tree.children]
        formulas = len(lines) - len(self.where)
        return "\n".join(lines[:formulas] + [f"  where {line}" for line in lines[formulas:]])

    __repr__ = __str__

    @property
    def display(self) -> str:
        """The LaTeX of the formula and its definitions as one display formula, between double dollars."""
        lines = " \\\\ ".join([self.latex, *(rf"\text{{where }} {row}" for row in self.where)])
        return f"$$\\begin{{gathered}} {lines} \\end{{gathered}}$$"

    def _repr_latex_(self) -> str:
        # a notebook may put this into a page as it is: nothing in it may look like a tag or an entity of HTML
        safe = {"<": r"\lt ", ">": r"\gt ", "&": "& "}
        return "".join(safe.get(sign, sign) for sign in self.display)
