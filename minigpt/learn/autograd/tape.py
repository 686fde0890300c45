r"""Backpropagation: the chain rule, followed back over everything that a loss was computed from.

Let $g = \partial L / \partial y$ be the gradient of a node y. For each parent a, from which y was computed, the node
holds a rule that returns $g\, \partial y / \partial a$. The gradient of a is their sum over all nodes that use a.
Departure: ``grad`` is kept for every node, where PyTorch keeps it for leaves alone, so that a graph can be looked at.
Departure: the rules use the arrays of the forward pass, which must not be changed in place: ``w.data = w.data - g``.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray as Array

from minigpt.learn.real_arrays import as_float64


class GraphNode:
    """Numbers, the gradient of the loss with respect to each, and where the numbers came from.

    Args:
        data: real numbers; they are copied, and whole numbers and booleans become float64, too.
        name: of the operation, or of a parameter; pictures show it.
        parents: pairs of a node that this one was computed from and the rule of its gradient.
    """

    def __init__(self, data: Any, name: str = "", *parents: "tuple[GraphNode, Callable[[Array], Array]]") -> None:
        self.data = as_float64(data)
        self.grad, self.shape = np.zeros_like(self.data), self.data.shape
        self.name, self.parents = name, parents

    def __repr__(self) -> str:
        return f"{type(self).__name__}({np.array2string(self.data, precision=4, separator=', ')})"

    def tape(self) -> "list[GraphNode]":
        """Everything that this node was computed from, then the node itself: each once, after its parents."""
        order, seen, stack = [], set(), [(self, False)]
        while stack:
            node, parents_are_in_order = stack.pop()
            if parents_are_in_order:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *((parent, False) for parent, _ in node.parents)]
        return order

    def backward(self) -> None:
        """Add the gradient of this number to ``grad`` of each node of its tape; several raise a ValueError."""
        if self.data.size != 1:
            raise ValueError(f"backward() got shape {self.shape}; expected one number, a loss: take .sum() or .mean()")
        arriving: dict[GraphNode, Any] = dict.fromkeys(self.tape(), 0.0) | {self: np.ones(self.shape)}
        for node in reversed(arriving):  # after all that used it, so that its gradient is complete
            g = arriving[node]
            node.grad = node.grad + g
            for parent, rule in node.parents:
                arriving[parent] = arriving[parent] + sum_to(rule(g), parent.shape)


def sum_to(g: Array, shape: tuple[int, ...]) -> Array:
    """The gradient of broadcasting: a number that was copied gets the sum over its copies."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)
