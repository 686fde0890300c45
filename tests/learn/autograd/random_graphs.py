"""Random expression graphs, computed by the tape and by PyTorch side by side."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch

from minigpt.learn.autograd import GraphNode, Tensor

TOLERANCE = 1e-10


@dataclass
class Pair:
    """The same value on both sides."""

    ours: Tensor
    theirs: torch.Tensor

    def __getattr__(self, name):
        """A method of both, with the same arguments."""
        return lambda *args: Pair(getattr(self.ours, name)(*args), getattr(self.theirs, name)(*args))

    @property
    def shape(self):
        return self.ours.shape


class RandomGraph:
    """About a dozen operations on three leaves, each on values that were drawn from all those before it.

    Attributes:
        pairs: every value that was recorded by name, leaves first.
        counts: how often each operation and each feature occurred.
    """

    def __init__(self, seed, n_operations=12):
        self.rng = np.random.default_rng(seed)
        self.counts = Counter()
        self.base = tuple(self.rng.integers(1, 4, size=3))
        self.pairs = [self.leaf(self.shape_like(self.base)) for _ in range(3)]
        for _ in range(n_operations):
            name = self.rng.choice(list(OPERATIONS))
            result = OPERATIONS[name](self)
            if result is not None:
                self.counts[name] += 1
                self.pairs.append(result)
        picked = [self.pairs[-1], *(self.pick() for _ in range(2))]
        means = [Pair(p.ours.mean(), p.theirs.mean()) for p in picked]
        self.loss = Pair(sum(m.ours for m in means), sum(m.theirs for m in means))

    def leaf(self, shape):
        # Whole numbers now and then, so that several elements are the largest.
        data = self.rng.normal(size=shape) if self.rng.random() < 0.7 else self.rng.integers(-1, 2, size=shape)
        return Pair(Tensor(data), torch.tensor(data, dtype=torch.float64, requires_grad=True))

    def shape_like(self, shape):
        """A shape that broadcasts against another: axes left out in front, others of length 1."""
        kept = shape[self.rng.integers(0, len(shape) + 1) :]
        return tuple(1 if self.rng.random() < 0.3 else int(n) for n in kept)

    def pick(self, fits=lambda shape: True):
        """A value from before, tamed by tanh where it has grown; several picks share nodes."""
        fitting = [pair for pair in self.pairs if fits(pair.shape)]
        if not fitting:
            return None
        pair = fitting[self.rng.integers(len(fitting))]
        return pair.tanh() if np.abs(pair.ours.data).max() > 5 else pair

    def partner(self, a):
        """A value that broadcasts against ``a``: one from before, or a new leaf."""

        def fits(shape):
            return all(m == n or 1 in (m, n) for m, n in zip(shape[::-1], a.shape[::-1], strict=False))

        b = self.pick(fits) if self.rng.random() < 0.8 else self.leaf(self.shape_like(a.shape))
        self.counts["broadcast"] += a.shape != b.shape
        self.counts["a value with itself"] += a is b
        return b

    def axis(self, shape):
        """None, one axis or several, and whether it is kept."""
        n, keepdims = len(shape), bool(self.rng.random() < 0.5)
        if n == 0 or self.rng.random() < 0.3:
            return None, keepdims
        chosen = tuple(int(i) for i in self.rng.choice(n, size=self.rng.integers(1, n + 1), replace=False))
        return (chosen[0] - n if len(chosen) == 1 else chosen), keepdims


def binary(operation):
    def apply(graph):
        a = graph.pick()
        b = graph.partner(a)
        return Pair(operation(a.ours, b.ours), operation(a.theirs, b.theirs))

    return apply


def unary(operation):
    def apply(graph):
        a = graph.pick()
        return Pair(operation(a.ours), operation(a.theirs))

    return apply


def positive(x):
    return x * x + 0.5


def clear_order(pair):
    """Whether no two elements, nor one and 0, differ by rounding alone, so that both sides order them alike."""
    for values in (pair.ours.data, pair.theirs.detach().numpy()):
        gaps = np.diff(np.sort(np.append(values, 0)))
        if ((gaps > 0) & (gaps < 1e-9)).any():
            return False
    return True


def relu(graph):
    a = graph.pick()
    return a.relu() if clear_order(a) else None


def power(graph):
    n = [-1.5, -1, 0, 0.5, 1, 2, 3][graph.rng.integers(7)]
    return unary(lambda x: (x if n in (0, 1, 2, 3) else positive(x)) ** n)(graph)


def matmul(graph):
    a = graph.pick(lambda shape: len(shape) >= 2)
    if a is None:
        return None
    m = a.shape[-1]
    b = graph.pick(lambda s: len(s) >= 2 and s[-2] == m and (s[:-2] == a.shape[:-2] or 2 in (len(s), len(a.shape))))
    if b is None or graph.rng.random() < 0.4:
        b = graph.leaf((*graph.shape_like(a.shape[:-2]), m, int(graph.rng.integers(1, 4))))
    graph.counts["batched matmul"] += max(len(a.shape), len(b.shape)) > 2
    return Pair(a.ours @ b.ours, a.theirs @ b.theirs)


def reduction(ours, theirs):
    def apply(graph):
        a = graph.pick()
        if ours == "max" and not clear_order(a):
            return None
        axis, keepdims = graph.axis(a.shape)
        every = tuple(range(len(a.shape)))
        return Pair(
            getattr(a.ours, ours)(axis, keepdims),
            getattr(a.theirs, theirs)(every if axis is None else axis, keepdims),
        )

    return apply


def index(graph):
    a = graph.pick(lambda shape: len(shape) >= 1)
    if a is None:
        return None
    n, rows = a.shape[0], graph.rng.integers
    where = [
        int(rows(-n, n)),
        slice(int(rows(0, n)), None),
        (..., int(rows(0, a.shape[-1]))),
        (None, ..., slice(None, None, 2)),
        rows(0, n, size=(2, 3)),
        (rows(0, n, size=4), *([rows(0, a.shape[1], size=4)] if len(a.shape) > 1 else [])),
        a.ours.data > a.ours.data.mean() - 1,
    ][rows(7)]
    return Pair(a.ours[where], a.theirs[where])


def reshape(graph):
    a = graph.pick()
    shape = (-1, a.shape[-1]) if a.shape and graph.rng.random() < 0.5 else (-1, 1)
    return a.reshape(*shape)


def transpose(graph):
    a = graph.pick(lambda shape: len(shape) >= 2)
    if a is None:
        return None
    i, j = (int(i) for i in graph.rng.integers(len(a.shape), size=2))
    return a.transpose(i, j)


def softmax(graph):
    a = graph.pick(lambda shape: len(shape) >= 1)
    return a and a.softmax(int(graph.rng.integers(len(a.shape))))


OPERATIONS = {
    "+": binary(lambda a, b: a + b),
    "-": binary(lambda a, b: a - b),
    "*": binary(lambda a, b: a * b),
    "/": binary(lambda a, b: a / positive(b)),
    "a number beside": unary(lambda x: 2.5 - (1 + 0.5 * x) / 3 + 1.5 / positive(x)),
    "**": power,
    "@": matmul,
    "exp": unary(lambda x: x.tanh().exp()),
    "log": unary(lambda x: positive(x).log()),
    "tanh": unary(lambda x: x.tanh()),
    "relu": relu,
    "sum": reduction("sum", "sum"),
    "mean": reduction("mean", "mean"),
    "max": reduction("max", "amax"),
    "index": index,
    "reshape": reshape,
    "transpose": transpose,
    "softmax": softmax,
}


def largest_error(graph):
    """The largest difference of two gradients of a graph, relative to their size where that is above 1."""
    for pair in graph.pairs:
        if not pair.theirs.is_leaf:
            pair.theirs.retain_grad()
    GraphNode.backward(graph.loss.ours)
    graph.loss.theirs.backward()
    errors = []
    for pair in graph.pairs:
        expected = np.zeros(pair.shape) if pair.theirs.grad is None else pair.theirs.grad.numpy()
        assert pair.ours.grad.shape == expected.shape
        errors.append(np.max(np.abs(pair.ours.grad - expected) / np.maximum(1, np.abs(expected)), initial=0))
    return max(errors)
