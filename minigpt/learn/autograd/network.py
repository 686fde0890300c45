"""Networks on the tape. Dimensions: N examples, D inputs, F neurons, T positions, V classes."""

import numpy as np

from minigpt.learn.autograd.tensor import Tensor


def neuron(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    r"""One neuron: $\tanh(\sum_i w_i x_i + b)$, ``(..., D)``, ``(D,)`` and ``()`` to ``(...)``."""
    return ((x * w).sum(-1) + b).tanh()


class Layer:
    r"""F neurons that read the same D inputs: $y = \tanh(x W + b)$, or $x W + b$ if it is linear."""

    def __init__(self, n_inputs: int, n_neurons: int, rng: np.random.Generator, *, linear: bool = False) -> None:
        self.weight = Tensor(rng.normal(size=(n_inputs, n_neurons)) / n_inputs**0.5, "W")
        self.bias, self.linear = Tensor(np.zeros(n_neurons), "b"), linear

    def __call__(self, x: Tensor) -> Tensor:
        """``(..., N, D)`` to ``(..., N, F)``."""
        y = x @ self.weight + self.bias
        return y if self.linear else y.tanh()


class MLP:
    """Layers one after the other, ``sizes[0]`` inputs to ``sizes[-1]`` outputs; the last layer is linear."""

    def __init__(self, sizes: list[int], rng: np.random.Generator) -> None:
        self.layers = [Layer(sizes[i], sizes[i + 1], rng, linear=not sizes[i + 2 :]) for i in range(len(sizes) - 1)]
        self.parameters = [p for layer in self.layers for p in (layer.weight, layer.bias)]

    def __call__(self, x: Tensor) -> Tensor:
        """``(N, sizes[0])`` to ``(N, sizes[-1])``."""
        for layer in self.layers:
            x = layer(x)
        return x


def attention_as_written(v: Tensor) -> Tensor:
    r"""$v'_i = \sum_j a_{ij} v_j$ with $a_{ij} = \exp(v_i \cdot v_j) / \sum_k \exp(v_i \cdot v_k)$, ``(..., T, D)``."""
    return (v @ v.transpose()).softmax() @ v


def mean_loss(logits: Tensor, targets: np.ndarray) -> Tensor:
    """The mean cross-entropy of ``(N, V)`` logits and the N right classes, in nats."""
    z = logits - logits.data.max(-1, keepdims=True)
    return (z.exp().sum(-1).log() - z[np.arange(len(targets)), targets]).mean()


def descend(parameters: list[Tensor], rate: float) -> None:
    """One step of gradient descent, after which the gradients are 0 again."""
    for p in parameters:
        p.data, p.grad = p.data - rate * p.grad, np.zeros(p.shape)
