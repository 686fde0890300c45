"""The operations, each with the rules of its gradient: y is the result, a and b are the operands."""

from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np

from minigpt.learn.autograd.tape import Array, GraphNode
from minigpt.learn.real_arrays import applied, refuse_empty


class Tensor(GraphNode):
    """A node with arithmetic. Numbers and arrays beside it become tensors; the arguments are those of GraphNode."""

    def __add__(self, other: Any) -> "Tensor":
        """$y = a + b$: $g$ and $g$."""
        other, _, _, y = self._apply("+", np.add, other)
        return Tensor(y, "+", (self, lambda g: g), (other, lambda g: g))

    def __sub__(self, other: Any) -> "Tensor":
        """$y = a - b$: $g$ and $-g$."""
        other, _, _, y = self._apply("-", np.subtract, other)
        return Tensor(y, "−", (self, lambda g: g), (other, lambda g: -g))

    def __mul__(self, other: Any) -> "Tensor":
        """$y = a b$: $g b$ and $g a$."""
        other, a, b, y = self._apply("*", np.multiply, other)
        return Tensor(y, "×", (self, lambda g: g * b), (other, lambda g: g * a))

    def __truediv__(self, other: Any) -> "Tensor":
        """$y = a / b$: $g / b$ and $-g y / b$."""
        other, _, b, y = self._apply("/", np.divide, other)
        return Tensor(y, "÷", (self, lambda g: g / b), (other, lambda g: -g * y / b))

    def __pow__(self, n: float) -> "Tensor":
        """$y = a^n$ for a number n: $g n a^{n-1}$."""
        if not isinstance(n, Real):
            raise ValueError(f"a ** n got a {type(n).__name__}; expected a number n; else use (n * a.log()).exp()")
        a = self.data
        return Tensor(a**n, f"^{n}", (self, lambda g: g * n * a ** (n - 1) if n else 0 * g))

    def __matmul__(self, other: Any) -> "Tensor":
        r"""$y = a b$, matrices in the last two axes: $g b^\top$ and $a^\top g$."""
        other, a, b, y = self._apply("@", np.matmul, other)
        return Tensor(y, "@", (self, lambda g: g @ b.swapaxes(-1, -2)), (other, lambda g: a.swapaxes(-1, -2) @ g))

    def exp(self) -> "Tensor":
        """$y = e^a$: $g y$."""
        y = np.exp(self.data)
        return Tensor(y, "exp", (self, lambda g: g * y))

    def log(self) -> "Tensor":
        r"""$y = \log a$: $g / a$."""
        a = self.data
        return Tensor(np.log(a), "log", (self, lambda g: g / a))

    def tanh(self) -> "Tensor":
        r"""$y = \tanh a$: $g (1 - y^2)$."""
        y = np.tanh(self.data)
        return Tensor(y, "tanh", (self, lambda g: g * (1 - y**2)))

    def relu(self) -> "Tensor":
        r"""$y = \max(a, 0)$: $g$ where $a > 0$, elsewhere 0."""
        a = self.data
        return Tensor(np.maximum(a, 0), "relu", (self, lambda g: g * (a > 0)))

    def sum(self, axis: Any = None, keepdims: bool = False) -> "Tensor":
        r"""$y = \sum_i a_i$: $g$ for every $a_i$."""
        y = self.data.sum(axis, keepdims=True)
        copies = (self, lambda g: np.broadcast_to(g.reshape(y.shape), self.shape))
        return Tensor(y if keepdims else y.squeeze(axis), "sum", copies)

    def max(self, axis: Any = None, keepdims: bool = False) -> "Tensor":
        r"""$y = \max_i a_i$: $g$ for the largest $a_i$; if several are, they share it equally."""
        refuse_empty(self.data, "max", axis)
        y = self.data.max(axis, keepdims=True, initial=-np.inf)
        share = (self.data == y) / (self.data == y).sum(axis, keepdims=True)
        return Tensor(y if keepdims else y.squeeze(axis), "max", (self, lambda g: g.reshape(y.shape) * share))

    def __getitem__(self, index: Any) -> "Tensor":
        """$y = a[i]$: each element of a gets the sum of g over the places where it was read."""
        index = deepcopy(index)  # an array of positions may be changed before backward

        def rule(g: Array) -> Array:
            np.add.at(result := np.zeros(self.shape), index, g)
            return result

        return Tensor(self.data[index], "[ ]", (self, rule))

    def reshape(self, *shape: int) -> "Tensor":
        """The same numbers in another shape: $g$ in the shape of a."""
        return Tensor(self.data.reshape(shape), "reshape", (self, lambda g: g.reshape(self.shape)))

    def transpose(self, i: int = -2, j: int = -1) -> "Tensor":
        """Axes i and j exchanged: $g$ with them exchanged back."""
        return Tensor(self.data.swapaxes(i, j), "transpose", (self, lambda g: g.swapaxes(i, j)))

    def mean(self, axis: Any = None, keepdims: bool = False) -> "Tensor":
        """The sum, divided by the number of terms."""
        refuse_empty(self.data, "mean", axis)
        total = self.sum(axis, keepdims)
        return total * (total.data.size / max(self.data.size, 1))

    def softmax(self, axis: int = -1) -> "Tensor":
        """exp, divided by its sum; the largest number is subtracted first, a constant that cancels."""
        e = (self - self.data.max(axis, keepdims=True, initial=-np.inf)).exp()
        return e / e.sum(axis, keepdims=True)

    __radd__, __rmul__, __array_ufunc__ = __add__, __mul__, None  # array + tensor is left to the tensor

    def __neg__(self) -> "Tensor":
        return self * -1

    def __rsub__(self, other: Any) -> "Tensor":
        return self * -1 + other

    def __rtruediv__(self, other: Any) -> "Tensor":
        return self**-1 * other

    def __rmatmul__(self, other: Any) -> "Tensor":
        return Tensor(other) @ self

    def _apply(self, sign: str, operation: np.ufunc, other: Any) -> "tuple[Tensor, Array, Array, Array]":
        """The second operand as a tensor, the arrays of both, and the value of the operation."""
        other = other if isinstance(other, Tensor) else Tensor(other)
        return other, self.data, other.data, applied(sign, operation, self.data, other.data)
