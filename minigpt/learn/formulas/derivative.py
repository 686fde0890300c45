r"""The derivative of a registered equation with respect to one of its symbols, from its literal value.

Where all operations are analytic, one complex step: $\partial f/\partial x = \mathrm{Im} f(x + ih) / h$, exact but for
rounding. Elsewhere (erf, maxima, functions that are given) four differences, whose error is of order $h^4$:
$\partial f/\partial x \approx \frac{8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))}{12 h}$.

Axes: those of the result of the equation, then those of the symbol.
"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from minigpt import equations
from minigpt.checks import CHECKS, Draw
from minigpt.equations import Equation, EquationError
from minigpt.equations.evaluate import Evaluator
from minigpt.equations.formula import real_numbers
from minigpt.equations.parse import names_in

#: The step of the differences, relative to numbers between 0.001 and 1, and the complex step.
STEP, COMPLEX_STEP = 1e-3, 1e-30
#: What a formula may be made of for the complex step.
ANALYTIC = (
    "document definition signature parameters add subtract negative times dot hadamard quotient fraction power "
    "transpose group root reduce from_to over such_that array before number call arguments indicator equality "
    "comparison cases case"
)
ANALYTIC_FUNCTIONS = frozenset({r"\exp", r"\ln", r"\log", r"\sin", r"\cos", r"\tanh"})
N_SEEDS, N_CASES = 24, 5
#: What is commonly written in a derivative, though the equation itself does not name it.
_SOFTMAX = {"p": ("(V) probabilities", r"p_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}")}
_SIGMOID = {r"\sigma": ("function the logistic function", r"\sigma(x) = \frac{1}{1 + \exp(-x)}")}
NAMES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "softmax": _SOFTMAX,
    "log-softmax": _SOFTMAX,
    "log-sum-exp": _SOFTMAX,
    "cross-entropy-from-logits": {
        **_SOFTMAX,
        "y": ("(V) 1 for the true class", r"y_i = \mathbb{1}[i = c]"),
        r"\mathrm{CE}": ("() the same loss in probabilities", r"\mathrm{CE} = -\sum_{i=1}^{V} y_i \log(p_i)"),
    },
    "next-token-loss": {"y": ("(B, T, V) 1 for the token that came", r"y_{bti} = \mathbb{1}[i = x_{bt}]")},
    "head-loss": {
        "p": ("(R, V) probabilities", r"p_{ij} = \frac{\exp(z_{ij})}{\sum_{k=1}^{V} \exp(z_{ik})}"),
        "y": ("(R, V) 1 for the token that came", r"y_{ij} = \mathbb{1}[j = c_i]"),
    },
    "silu": _SIGMOID,
    "swiglu": _SIGMOID,
}


def extended(name: str) -> Equation:
    """The registered equation of that name, with the names that its derivatives are commonly written in."""
    equation, names = equations.get(name), NAMES.get(name, {})
    symbols = {**equation.symbols, **{symbol: meaning for symbol, (meaning, _) in names.items()}}
    return dataclasses.replace(
        equation, symbols=symbols, where=(*equation.where, *(definition for _, definition in names.values()))
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Drawn:
    """An equation at one draw of its inputs.

    Args:
        equation: extended.
        given: LaTeX name to value.
        output: the row whose derivative is taken.
    """

    equation: Equation
    given: Mapping[str, Any]
    output: str

    @cached_property
    def values(self) -> dict[str, Any]:
        """Everything that has a value: the inputs, the sizes, and each name that the equation defines."""
        evaluation, values = Evaluator(self.equation.document, self.given), dict(self.given)
        with np.errstate(all="ignore"):
            for name, rows in self.equation.document.rows.items():
                if rows[0].parameters:
                    values[name] = _applied(evaluation, name)
                else:
                    try:
                        values[name] = evaluation.whole(name)
                    except EquationError:
                        continue  # an entry that depends on a base case, such as a matrix that a recurrence starts from
        sizes = {name: np.float64(size) for name, size in evaluation.sizes.values.items() if np.ndim(size) == 0}
        return {**sizes, **values}

    @property
    def symbols(self) -> list[str]:
        """What can be differentiated by: every name with a value but the result, functions, sizes and indices."""
        names = [name for name, value in self.values.items() if not callable(value)]
        return [name for name in names if name not in self.whole | {self.output}]

    @cached_property
    def whole(self) -> set[str]:
        """Names of whole numbers: sizes, indices, and what a bound or a floor is computed from."""
        document = self.equation.document
        indices = [index for array in document.tree.find_data("array") for index in array.children[1:]]
        indexing = {str(index.children[0]) for index in indices if index.data == "array"}
        dims = [dim for shape in document.shapes.values() for dim in shape]
        bounds = [bound for kind in ("from_to", "each_from_to") for span in document.tree.find_data(kind)
                  for bound in span.children[-2:]]  # fmt: skip
        return indexing | {str(name) for node in (*dims, *bounds) for name in names_in(node)}

    @property
    def sizes(self) -> dict[str, float]:
        """The lengths of axes by name."""
        document = self.equation.document
        names = {str(dim.children[0]) for shape in document.shapes.values() for dim in shape if dim.data == "array"}
        return {name: float(self.values[name]) for name in sorted(names) if name in self.values}

    def result(self, changed: Mapping[str, Any]) -> np.ndarray:
        """The value of the output with some values changed, also of names that the equation defines."""
        with np.errstate(all="ignore"):
            return Evaluator(self.equation.document, {**self.given, **changed}).whole(self.output)

    def derivative(self, symbol: str, fixed: tuple[str, ...] = ()) -> np.ndarray:
        """With respect to an input or a name that the equation defines: ``(*result, *symbol)``.

        Args:
            symbol: that is varied.
            fixed: names that the equation defines, kept as if they did not depend on the symbol.
        """
        if (symbol, fixed) not in self._derivatives:
            self._derivatives[symbol, fixed] = self._varied(symbol, {name: self.values[name] for name in fixed})
        return self._derivatives[symbol, fixed]

    def of(self, name: str) -> "Drawn":
        """The same draw for another row of the equation."""
        if name not in self._others:
            self._others[name] = dataclasses.replace(self, output=name)
        return self._others[name]

    @cached_property
    def _derivatives(self) -> dict[tuple[str, tuple[str, ...]], np.ndarray]:
        return {}

    @cached_property
    def _others(self) -> dict[str, "Drawn"]:
        return {self.output: self}

    def _varied(self, symbol: str, fixed: Mapping[str, Any]) -> np.ndarray:
        at = np.array(self.values[symbol], np.float64)
        difference = _complex_step if self._is_analytic(symbol) else _difference
        columns = [
            difference(lambda moved: self.result({**fixed, symbol: moved}), at, place) for place in np.ndindex(at.shape)
        ]
        whole = np.stack(columns, -1) if columns else np.zeros((*self.result({}).shape, 0))
        return whole.reshape(whole.shape[:-1] + at.shape)

    def _is_analytic(self, symbol: str) -> bool:
        """Whether a complex number can take the place of the symbol everywhere."""
        tree, rows = self.equation.document.tree, self.equation.document.rows
        called = {str(call.children[0]) for call in tree.find_data("call")}
        signs = {str(reduction.children[0]) for reduction in tree.find_data("reduce")}
        compared = {
            str(name) for kind in ("equality", "comparison") for node in tree.find_data(kind) for name in names_in(node)
        }
        return (
            {node.data for node in tree.iter_subtrees()} <= set(ANALYTIC.split())
            and called <= {*ANALYTIC_FUNCTIONS, *rows}
            and signs <= {r"\sum", r"\prod"}
            and not compared & {symbol, *rows}
        )


def _complex_step(f: Callable[[np.ndarray], np.ndarray], at: np.ndarray, place: tuple[int, ...]) -> Any:
    moved = at.astype(np.complex128)
    moved[place] += COMPLEX_STEP * 1j
    return np.imag(f(moved)) / COMPLEX_STEP


def _difference(f: Callable[[np.ndarray], np.ndarray], at: np.ndarray, place: tuple[int, ...]) -> Any:
    step = STEP * min(1.0, max(abs(float(at[place])), 1e-3))

    def value(n_steps: int) -> np.ndarray:
        moved = at.copy()
        moved[place] += n_steps * step
        return f(moved)

    return (8 * (value(1) - value(-1)) - (value(2) - value(-2))) / (12 * step)


def _applied(evaluation: Evaluator, name: str) -> Callable[..., Any]:
    return lambda *arguments: evaluation.apply(name, list(arguments))


def cases(equation: Equation, output: str, kind: type[Draw] = Draw) -> list[Drawn]:
    """Draws of the inputs of a registered equation, as its check makes them: of unequal sizes, the smallest first.

    Args:
        equation: extended.
        output: the row whose derivative is taken.
        kind: of the draw, such as one of whole numbers.
    """
    found: dict[tuple[Any, ...], Drawn] = {}
    for seed in range(N_SEEDS):
        arrays, _ = CHECKS[equation.name](equation.function, kind.seeded(seed))
        given = {equation.inputs[key]: _value(equation, equation.inputs[key], value) for key, value in arrays.items()}
        shapes = [np.shape(value) for value in given.values() if not callable(value)]
        lengths = {length for shape in shapes for length in shape}
        n_entries = sum(int(np.prod(shape)) for shape in shapes)
        n_sizes = len({size for shape in equation.document.shapes.values() for size in map(str, shape)})
        rank = (1 in lengths, min(n_sizes, 3) - min(len(lengths), 3), n_entries)
        found.setdefault((*rank, seed if n_entries < 3 else 0, tuple(shapes)), Drawn(equation, given, output))
    best = [found[key] for key in sorted(found, key=lambda key: (*key[:3], str(key[3:])))[:N_CASES]]
    return sorted(best, key=lambda drawn: sum(np.size(value) for value in drawn.given.values() if not callable(value)))


def _value(equation: Equation, name: str, value: Any) -> Any:
    """An input in float64; a function declared for single numbers gets one of them."""
    if callable(value):
        return lambda *arguments: real_numbers(value(*arguments))
    array = real_numbers(value)
    return np.float64(array.flat[0]) if equation.document.shapes.get(name) == [] else array
