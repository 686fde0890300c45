"""Mistakes with the gradients of one neuron.

Dimensions: N rows, D inputs.
"""

import torch
from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("neuron_gradients")
_Gradients = tuple[Tensor, Tensor]


def _from_rows(x: Tensor, delta: Tensor) -> _Gradients:
    """The gradients of the mean loss, from the derivative of each row's loss by its ``w · x + b``."""
    return delta @ x / len(x), delta.mean()


@_mistake(
    "summed",
    "scale",
    "You added up the gradients of the rows without dividing by N. The loss is the mean over the rows, so 1/N stays "
    "in front of its gradient.",
    "把各行的梯度相加后没有除以 N。损失是各行的平均值，所以梯度前面也保留 1/N。",
)
def _summed(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    delta = 2 * (a - y) * (1 - a**2)
    return delta @ x, delta.sum()


@_mistake(
    "without-two",
    "scale",
    "The factor 2 of the squared error is missing, so both gradients are half as large. The derivative of a square is "
    "twice its base; only a loss with ½ in front would cancel it.",
    "少了平方误差求导产生的因子 2，两个梯度都只有一半大小。平方的导数是底数的 2 倍，只有损失前带 ½ 时才会抵消。",
)
def _without_two(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, (a - y) * (1 - a**2))


@_mistake(
    "through-the-activation",
    "missing",
    "You passed the error straight through the tanh, without its derivative. The chain rule multiplies by 1 − a² on "
    "the way from the output back to the weighted sum.",
    "误差直接穿过了 tanh，没有乘它的导数。按链式法则，从输出回到加权和时要乘以 1 − a²。",
)
def _no_derivative(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    return _from_rows(x, 2 * (torch.tanh(x @ w + b) - y))


@_mistake(
    "sigmoid-derivative",
    "wrong-operand",
    "You used a(1 − a), the derivative of the logistic sigmoid. The activation here is tanh, whose derivative is "
    "1 − a².",
    "用的是 a(1 − a)，那是 sigmoid 函数的导数。这里的激活函数是 tanh，其导数为 1 − a²。",
)
def _sigmoid(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, 2 * (a - y) * a * (1 - a))


@_mistake(
    "square-of-the-sum",
    "wrong-operand",
    "In 1 − a² you squared the weighted sum w · x + b, the input of the tanh. The derivative is written in terms of "
    "its output a.",
    "在 1 − a² 中代入了 tanh 的输入，即加权和 w · x + b。这个导数公式用的是 tanh 的输出 a。",
)
def _input_squared(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    z = x @ w + b
    return _from_rows(x, 2 * (torch.tanh(z) - y) * (1 - z**2))


@_mistake(
    "tanh-twice",
    "extra",
    "You took the tanh once more when differentiating: 1 − tanh(a)², with an a that already is a tanh. One tanh "
    "between the weighted sum and the output gives 1 − a².",
    "求导时多取了一次 tanh：写成了 1 − tanh(a)²，而 a 本身已经是 tanh 的值。"
    "从加权和到输出只有一个 tanh，导数是 1 − a²。",
)
def _tanh_twice(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, 2 * (a - y) * (1 - torch.tanh(a) ** 2))


@_mistake(
    "squared-difference",
    "order",
    "You squared the difference, (1 − a)², as the derivative of the tanh. Only a is squared: 1 − a².",
    "把 tanh 的导数写成了差的平方 (1 − a)²。平方只作用在 a 上：1 − a²。",
)
def _squared_difference(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, 2 * (a - y) * (1 - a) ** 2)


@_mistake(
    "output-not-squared",
    "missing",
    "You used 1 − a as the derivative of the tanh; the square is missing. It is 1 − a², which is positive on both "
    "sides of 0 and symmetric.",
    "把 tanh 的导数写成了 1 − a，少了平方。导数是 1 − a²，恒为正，并且关于 0 对称。",
)
def _output_not_squared(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, 2 * (a - y) * (1 - a))


@_mistake(
    "sign",
    "sign",
    "Both gradients have the opposite sign: you took y − a, target minus output. The derivative of (a − y)² by a is "
    "2(a − y); the minus comes later, in the step of gradient descent.",
    "两个梯度的符号都相反：用了目标减输出 y − a。(a − y)² 对 a 的导数是 2(a − y)，负号要到梯度下降更新时才出现。",
)
def _sign(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    return _from_rows(x, 2 * (y - a) * (1 - a**2))


@_mistake(
    "weights-for-inputs",
    "wrong-operand",
    "In ∂L/∂w you multiplied by the weight w itself. The weighted sum is linear in w, so its derivative by a weight "
    "is the input x that this weight multiplies.",
    "计算 ∂L/∂w 时乘的是权重 w 本身。加权和关于 w 是线性的，对某个权重的导数是与它相乘的输入 x。",
)
def _weights(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    db = (2 * (a - y) * (1 - a**2)).mean()
    return db * w, db


@_mistake(
    "bias-times-bias",
    "wrong-operand",
    "In ∂L/∂b you multiplied by b, as the weights are multiplied by x. The bias is added with the factor 1, so its "
    "gradient is the error alone.",
    "计算 ∂L/∂b 时又乘了 b，就像权重乘 x 那样。偏置以系数 1 相加，所以它的梯度就是误差项本身。",
)
def _bias(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    dw, db = _from_rows(x, 2 * (a - y) * (1 - a**2))
    return dw, db * b


@_mistake(
    "weights-summed-bias-averaged",
    "scale",
    "∂L/∂b is right, but ∂L/∂w is N times too large: you averaged the bias and only summed the weights. Both "
    "gradients come from the same mean over the rows.",
    "∂L/∂b 是对的，但 ∂L/∂w 大了 N 倍：偏置取了平均，权重只求了和。两个梯度都来自对各行的同一个平均。",
)
def _half_averaged(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    delta = 2 * (a - y) * (1 - a**2)
    return delta @ x, delta.mean()


@_mistake(
    "divided-by-width",
    "scale",
    "You divided by D, the number of inputs. The mean of the loss runs over the N rows.",
    "除以了输入的个数 D。损失的平均是对 N 行取的，应当除以 N。",
)
def _divided_by_width(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    delta = 2 * (a - y) * (1 - a**2)
    return delta @ x / x.shape[1], delta.sum() / x.shape[1]


@_mistake(
    "linear",
    "missing",
    "These are the gradients of a linear neuron: the tanh is missing in the output as well as in the derivative. The "
    "output is a = tanh(w · x + b).",
    "这是线性神经元的梯度：输出和导数里都没有 tanh。神经元的输出是 a = tanh(w · x + b)。",
)
def _linear(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    return _from_rows(x, 2 * (x @ w + b - y))


@_mistake(
    "product-of-means",
    "order",
    "You averaged the errors and the inputs separately and multiplied the two means. Each row's error belongs to its "
    "own input: multiply first, then average.",
    "先分别对误差和输入取平均，再把两个平均值相乘。每一行的误差只对应这一行的输入：应当先相乘，再取平均。",
)
def _product_of_means(x: Tensor, w: Tensor, b: Tensor, y: Tensor) -> _Gradients:
    a = torch.tanh(x @ w + b)
    db = (2 * (a - y) * (1 - a**2)).mean()
    return db * x.mean(0), db


NEURON_GRADIENTS_MISTAKES = tuple(_mistake.found)
