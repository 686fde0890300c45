# %% [markdown]
# # Neural networks and backpropagation
#
# A neural network is a function with many parameters, and training changes each of them
# a little, in the direction that lowers the loss. **Backpropagation** computes all these
# directions in one pass, by the chain rule. Here you
#
# - compute the gradient of one neuron by hand, with numbers for a sheet of paper;
# - let a **tape** record the same computation and find the same gradient, and read the
#   code of the tape, which fits on one screen;
# - build layers from neurons and a network from layers, and watch a network learn a
#   boundary that no single layer can draw;
# - measure how gradients vanish in a deep network, and what a shortcut changes;
# - train self-attention, exactly as written, with your own backpropagation.
#
# About 45 minutes. You need to know what a derivative is, and how to multiply matrices.
# Everything here is NumPy; PyTorch appears only to check the result.

# %%
import inspect
import math
import os
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch

import minigpt as mg
from minigpt.learn.autograd import (
    MLP,
    GraphNode,
    Layer,
    Tensor,
    attention_as_written,
    descend,
    mean_loss,
    neuron,
)
from minigpt.learn.tape_map import draw_tape

QUICK = bool(os.environ.get("MINIGPT_QUICK"))

# %% [markdown]
# ## A neuron
#
# A neuron has a weight $w_i$ for each of its inputs $x_i$, and one more parameter, the
# bias $b$. It computes a weighted sum and applies an **activation function**, for
# instance the hyperbolic tangent:
#
# $$
# a = \sum_i w_i x_i + b, \qquad y = \tanh(a)
# $$
#
# The sum measures how well the inputs fit the weights. The activation bends the result:
# far from 0 it hardly changes any more. Three activations are common. Below them are
# their derivatives, which decide how well a network can be trained.


# %% mystnb={"image": {"alt": "Tanh, sigmoid and ReLU; the derivative of the sigmoid is never above a quarter."}}
def sigmoid(a):
    return 0.5 + 0.5 * (0.5 * a).tanh()


a = Tensor(np.linspace(-4, 4, 201))
figure, both = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained")
largest = {}
for name, activation in (
    ("tanh", Tensor.tanh),
    ("sigmoid", sigmoid),
    ("ReLU", Tensor.relu),
):
    a.grad = np.zeros(a.shape)
    activation(a).sum().backward()
    both[0].plot(a.data, activation(a).data, label=name, linewidth=2)
    both[1].plot(a.data, a.grad, linewidth=2)
    largest[name] = a.grad.max().item()
both[0].set(xlabel="a", title="activation", ylim=(-1.2, 2.5))
both[1].set(xlabel="a", title="its derivative")
both[0].legend(frameon=False)
plt.show()

np.testing.assert_allclose(sigmoid(a).data, 1 / (1 + np.exp(-a.data)))
print("largest derivative:", largest)
assert largest == {"tanh": 1.0, "sigmoid": 0.25, "ReLU": 1.0}

# %% [markdown]
# (The right picture was computed by the tape that you will meet below.)
#
# ## The chain rule by hand
#
# Take a neuron with two inputs and numbers that can be computed on paper:
# $x = (1, 2)$, $w = (\frac12, -\frac14)$, $b = \ln 2$. The output should be $t = 1$, and
# the loss is the squared error:
#
# $$
# a = \tfrac12 \cdot 1 - \tfrac14 \cdot 2 + \ln 2 = \ln 2, \qquad
# y = \tanh(\ln 2) = \frac{2 - \frac12}{2 + \frac12} = 0.6, \qquad
# L = (y - t)^2 = 0.16
# $$
#
# How does $L$ change if $w_1$ changes? The weight changes $a$, which changes $y$, which
# changes $L$. The **chain rule** multiplies the three rates:
#
# $$
# \frac{\partial L}{\partial w_1} =
# \frac{\partial L}{\partial y} \cdot \frac{\partial y}{\partial a} \cdot
# \frac{\partial a}{\partial w_1}
# $$
#
# Begin at the loss and go backwards. Each line uses the one above it:
#
# | | formula | number |
# | --- | --- | --- |
# | $\partial L / \partial y$ | $2 (y - t)$ | $-0.8$ |
# | $\partial L / \partial a$ | $-0.8 \cdot (1 - y^2)$ | $-0.8 \cdot 0.64 = -0.512$ |
# | $\partial L / \partial b$ | $-0.512 \cdot 1$ | $-0.512$ |
# | $\partial L / \partial w_1$ | $-0.512 \cdot x_1$ | $-0.512$ |
# | $\partial L / \partial w_2$ | $-0.512 \cdot x_2$ | $-1.024$ |
#
# The first two lines are shared by all three parameters, so they are computed only
# once. That is the whole idea of backpropagation: go from the loss to the parameters,
# and reuse what has been computed. Check it with a few lines of Python, and with a
# nudge to each parameter, which needs no calculus:


# %%
def loss_of(w_1, w_2, b):
    return (math.tanh(w_1 * 1 + w_2 * 2 + b) - 1) ** 2


parameters = [0.5, -0.25, math.log(2)]
by_hand = [-0.512, -1.024, -0.512]

y = math.tanh(0.5 * 1 - 0.25 * 2 + math.log(2))
grad_y = 2 * (y - 1)
grad_a = grad_y * (1 - y**2)
by_rule = [grad_a * 1, grad_a * 2, grad_a]

by_nudge = []
for i in range(3):
    up, down = (
        [p + step * (i == j) for j, p in enumerate(parameters)]
        for step in (1e-6, -1e-6)
    )
    by_nudge.append((loss_of(*up) - loss_of(*down)) / 2e-6)

print("y =", round(y, 12), " L =", round(loss_of(*parameters), 12))
print("by rule: ", np.round(by_rule, 6))
print("by nudge:", np.round(by_nudge, 6))
np.testing.assert_allclose([y, loss_of(*parameters)], [0.6, 0.16])
np.testing.assert_allclose(by_rule, by_hand)
np.testing.assert_allclose(by_nudge, by_hand, rtol=1e-6)

# %% [markdown]
# A nudge needs two computations of the loss for *each* parameter. With a million
# parameters that is two million computations; backpropagation needs one forward and one
# backward pass.
#
# ## The chain rule by tape
#
# Nobody derives the gradient of a large network by hand. Instead, each number remembers
# which operation it came from. `Tensor` does that: its arithmetic looks as usual and
# records a **computational graph** as it goes.

# %%
x_1, x_2, t = Tensor(1.0, "x_1"), Tensor(2.0, "x_2"), Tensor(1.0, "t")
w_1, w_2, b = Tensor(0.5, "w_1"), Tensor(-0.25, "w_2"), Tensor(math.log(2), "b")

loss = ((w_1 * x_1 + w_2 * x_2 + b).tanh() - t) ** 2
loss.backward()

print("by tape:", w_1.grad.round(6), w_2.grad.round(6), b.grad.round(6))
np.testing.assert_allclose([w_1.grad, w_2.grad, b.grad], by_hand)

# %% [markdown]
# The same numbers, without a formula from us. Here is the graph. Read the blue numbers
# from left to right: the **forward pass** computes the values. Then read the orange ones
# from right to left: the **backward pass** computes the gradient of the loss with respect
# to each value, beginning with 1 for the loss itself.

# %% mystnb={"image": {"alt": "The graph of one neuron and its loss, each box with value and gradient."}}
draw_tape(loss)

# %% [markdown]
# Each box needs only its own rule. A sum passes its gradient on unchanged. A product
# passes to each factor the gradient times the *other* factor. `tanh` multiplies by
# $1 - y^2$. These rules are the only calculus in the program:

# %%
for method in (Tensor.__add__, Tensor.__mul__, Tensor.tanh):
    print(inspect.getsource(method))

# %% [markdown]
# `_apply(…)` returns the second operand as a tensor, the numbers `a` and `b` of both, and
# the value `y`. Then comes the rule: for each operand a function that takes the gradient
# `g` of the result and returns the operand's part.
#
# ### A value that is used twice
#
# What if a value is used more than once? Take $f = (x + x \cdot x) \cdot x$ at $x = 3$.

# %% mystnb={"image": {"alt": "A graph in which x is used by three operations; its gradient is 33."}}
x = Tensor(3.0, "x")
f = (x + x * x) * x
f.backward()
assert x.grad == 33
draw_tape(f)

# %% [markdown]
# A change of $x$ reaches the result along every arrow that leaves it, and the effects
# **add up**: 12 from the last product, 3 from the sum, and $3 \cdot 3 + 3 \cdot 3$ from the
# two factors of $x \cdot x$; together 33. On paper, $f = x^2 + x^3$ and
# $f' = 2x + 3x^2 = 33$.
#
# So a node may pass its gradient on only when it is complete, that is, after *all* nodes
# that use it. An order with this property is called a **topological order**. `tape()`
# finds one: each node comes after its parents, and `backward()` reads the list from its
# end. This is all of it:

# %%
core = "\n".join(
    inspect.getsource(method) for method in (GraphNode.tape, GraphNode.backward)
)
print(core)
assert len(core.splitlines()) <= 30  # it fits on one screen

# %% [markdown]
# The last line shows two more things. Contributions are *added* to what has arrived
# already. And `sum_to` reverses broadcasting: where NumPy copies a bias to every row, the
# bias gets the sum of the gradients of all its copies.

# %%
rows, bias = Tensor(np.zeros((4, 2))), Tensor([0.0, 0.0])
(3 * (rows + bias)).sum().backward()
print("each row has the gradient", rows.grad[0], "and the bias", bias.grad)
assert bias.grad.tolist() == [12, 12]

# %% [markdown]
# A second `backward()` adds to the gradients that are already there, as it does in
# PyTorch. It is useful (the gradients of two small batches add up to that of a large
# one), and it is a classic mistake to forget: clear the gradients before each step.

# %%
w = Tensor(3.0)
(w * w).backward()
(w * w).backward()
print(w.grad, "= 6 + 6")
assert w.grad == 12

# %% [markdown]
# ## Layers
#
# Several neurons that read the same inputs form a **layer**. Each has a weight for each
# input, so the weights of the layer are a matrix $W$ with a column for each neuron, and
# the whole layer is one matrix product:
#
# $$
# y = \tanh(x W + b)
# $$

# %%
rng = np.random.default_rng(0)
layer = Layer(3, 4, rng)
x = Tensor(rng.normal(size=(5, 3)))  # five examples, three inputs each

one_by_one = [neuron(x, layer.weight[:, j], layer.bias[j]).data for j in range(4)]
np.testing.assert_allclose(layer(x).data, np.stack(one_by_one, axis=1))
layer(x).shape

# %% [markdown]
# A network is a sequence of layers: the outputs of one are the inputs of the next. It is
# often said, also in the document that this library implements, that each node is
# connected to all other nodes. The picture is nearly right, but one correction makes it
# exact: a node is connected to all nodes of the layer *before* it and of the layer
# *after* it, and to no node of its own layer. (Shortcuts, which skip layers, come later
# in this lesson.) So everything can be computed layer by layer, and each step is one
# matrix product.

# %% mystnb={"image": {"alt": "Circles in four columns; lines join neighbouring columns only."}}
sizes = [2, 4, 4, 1]
figure, axes = plt.subplots(figsize=(4.6, 2.6), layout="constrained")
nodes = [
    [(column, row - (n - 1) / 2) for row in range(n)] for column, n in enumerate(sizes)
]
n_edges = 0
for left, right in pairwise(nodes):
    for start in left:
        for end in right:
            axes.plot(
                *zip(start, end, strict=True), color="tab:gray", linewidth=0.8, zorder=1
            )
            n_edges += 1
for column in nodes:
    axes.scatter(*zip(*column, strict=True), s=160, color="tab:blue", zorder=2)
axes.set_xticks(range(4), ["inputs", "layer 1", "layer 2", "layer 3"])
axes.set(yticks=[], ylim=(-2, 2), xlim=(-0.3, 3.3))
axes.spines[:].set_visible(False)
plt.show()

weights = [layer.weight.data.size for layer in MLP(sizes, rng).layers]
n_nodes = sum(sizes)
print(
    f"{n_edges} lines, {sum(weights)} weights; all pairs of {n_nodes} nodes would be "
    f"{math.comb(n_nodes, 2)}"
)
assert n_edges == sum(weights) == 28

# %% [markdown]
# All layers but the last are called **hidden**. Why does each need an activation?
# Without it, two layers are no more than one: $(x W_1) W_2 = x (W_1 W_2)$, and $W_1 W_2$
# is just another matrix.

# %%
W_1, W_2 = rng.normal(size=(3, 8)), rng.normal(size=(8, 2))
x = rng.normal(size=(5, 3))
np.testing.assert_allclose(x @ W_1 @ W_2, x @ (W_1 @ W_2))
assert np.abs(np.tanh(x @ W_1) @ W_2 - x @ (W_1 @ W_2)).max() > 1

# %% [markdown]
# ## Deep learning
#
# Now let a network learn. The task: two spirals, and for each point of the plane the
# question which spiral it belongs to.


# %%
def spirals(n=100):
    radius = np.linspace(0.15, 1, n)
    angles = [2.5 * np.pi * radius + start for start in (0, np.pi)]
    points = [
        np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        for angle in angles
    ]
    noise = np.random.default_rng(0).normal(size=(2 * n, 2))
    return np.concatenate(points) + 0.02 * noise, np.repeat([0, 1], n)


points, spiral = spirals()


def fit(network, steps=1000, rate=1.0):
    losses = []
    for _ in range(steps):
        loss = mean_loss(network(Tensor(points)), spiral)  # forward: values and tape
        loss.backward()  # backward: a gradient for each parameter
        descend(network.parameters, rate)  # one step downhill; gradients back to 0
        losses.append(loss.data.item())
    return losses


# %% [markdown]
# `mean_loss` is the cross-entropy of the two classes; guessing costs
# $\ln 2 \approx 0.69$. `descend` subtracts the learning rate times the gradient from
# each parameter. ([Loss and optimizers](03-loss-and-optimizers.ipynb) looks at both
# closely.) We compare a single layer with a network of four layers, of which the last
# hidden one has only two neurons, so that we can draw what it computes.

# %%
networks = {
    "one layer": MLP([2, 2], np.random.default_rng(1)),
    "four layers": MLP([2, 16, 16, 2, 2], np.random.default_rng(1)),
}
curves = {name: fit(network) for name, network in networks.items()}
for name, network in networks.items():
    right = np.mean(network(Tensor(points)).data.argmax(1) == spiral)
    n_parameters = sum(p.data.size for p in network.parameters)
    print(
        f"{name:11}  {n_parameters:3} parameters, loss {curves[name][-1]:.4f}, "
        f"{right:.0%} right"
    )
    assert right == 1 if name == "four layers" else right < 0.6

assert curves["one layer"][-1] > 0.6 and curves["four layers"][-1] < 0.01

# %% mystnb={"image": {"alt": "A straight border, a spiral border, and hidden values that one line separates."}}
grid = np.stack(
    np.meshgrid(np.linspace(-1.2, 1.2, 121), np.linspace(-1.2, 1.2, 121)), axis=-1
)
colors = np.array(["tab:blue", "tab:orange"])[spiral]


def draw_border(axes, network, places, title):
    z = network(Tensor(places.reshape(-1, 2))).data
    side = (z[:, 1] - z[:, 0]).reshape(places.shape[:2])
    axes.contourf(
        places[..., 0],
        places[..., 1],
        side > 0,
        levels=[-0.5, 0.5, 1.5],
        colors=["#cfe3f3", "#fde2c8"],
    )
    axes.set(title=title, xticks=[], yticks=[], aspect="equal")
    axes.title.set_size(10)


figure, three = plt.subplots(1, 3, figsize=(8, 2.9), layout="constrained")
for axes, (name, network) in zip(three, networks.items(), strict=False):
    draw_border(axes, network, grid, f"{name}: the plane")
    axes.scatter(*points.T, c=colors, s=6)

hidden = Tensor(points)
for layer in networks["four layers"].layers[:-1]:
    hidden = layer(hidden)
draw_border(
    three[2],
    networks["four layers"].layers[-1],
    grid,
    "four layers: the two last hidden neurons",
)
three[2].scatter(*hidden.data.T, c=colors, s=6)
plt.show()

# %% [markdown]
# A single layer can only divide the plane by a straight line. The deep network draws a
# spiral, and the right picture shows how: its hidden layers move the points until *one
# straight line* separates the two spirals, and the last layer draws that line. Nothing in
# the program says how to move the points; training has found it. That is what **deep
# learning** means: many layers, and features that are learned and not designed.
#
# ## Gradients that vanish
#
# If depth is good, why not stack fifty layers? Look at the chain rule again. The gradient
# of an early layer is a product with one factor for each layer after it, and the
# derivative of a sigmoid is never above 1/4. A product of many small factors is tiny.
# Here are four networks with 20 hidden layers at the start of training, with the norm of
# the gradient of each layer's weights. Two of them have a **shortcut**: each layer *adds*
# its output to its input, $h \leftarrow h + f(h)$, and does not replace it.


# %%
class Deep:
    """20 hidden layers of 16 neurons, each with or without a shortcut."""

    def __init__(self, activation, shortcut):
        rng = np.random.default_rng(0)
        self.activation, self.shortcut = activation, shortcut
        self.first, self.last = Layer(2, 16, rng), Layer(16, 2, rng, linear=True)
        self.hidden = [Layer(16, 16, rng, linear=True) for _ in range(20)]
        every = [self.first, *self.hidden, self.last]
        self.parameters = [p for layer in every for p in (layer.weight, layer.bias)]

    def __call__(self, x):
        h = self.first(x)
        for layer in self.hidden:
            y = self.activation(layer(h))
            h = h + y if self.shortcut else y
        return self.last(h)


def gradient_norms(network):
    mean_loss(network(Tensor(points)), spiral).backward()
    return [np.linalg.norm(layer.weight.grad) for layer in network.hidden]


# %% mystnb={"image": {"alt": "With sigmoids the gradient falls thirteen powers of ten; with shortcuts it stays."}}
figure, axes = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
norms = {}
for (name, activation), color in zip(
    {"sigmoid": sigmoid, "tanh": Tensor.tanh}.items(),
    ("tab:red", "tab:blue"),
    strict=True,
):
    for shortcut in (False, True):
        label = f"{name}, {'with' if shortcut else 'no'} shortcut"
        norms[label] = gradient_norms(Deep(activation, shortcut))
        axes.semilogy(
            range(1, 21),
            norms[label],
            "-" if shortcut else ":",
            color=color,
            linewidth=2,
            label=label,
        )
        print(
            f"{label:22}  layer 1: {norms[label][0]:.1e}, layer 20: "
            f"{norms[label][-1]:.1e}"
        )
axes.set(
    xlabel="hidden layer", ylabel="norm of its gradient", xticks=[1, 5, 10, 15, 20]
)
axes.legend(frameon=False)
plt.show()

assert norms["sigmoid, no shortcut"][0] < 1e-12 * norms["sigmoid, no shortcut"][-1]
assert norms["sigmoid, with shortcut"][0] > 1e-2 * norms["sigmoid, with shortcut"][-1]

# %% [markdown]
# Without shortcuts, the gradient of the first hidden layer of the sigmoid network is
# $10^{13}$ times smaller than that of the last: the early layers do not learn. With a
# shortcut the factor of a layer is $1 + f'$ and no longer $f'$. However small $f'$ is,
# the 1 remains: the gradient has a path back on which nothing makes it smaller.
#
# The tanh network is better from the start, because its derivative reaches 1 and its
# weights were drawn with the right scale. But a gradient that arrives is not yet a
# network that learns. Train three of them for the same number of steps:

# %%
STEPS = 30 if QUICK else 400
after = {}
for label, activation, shortcut in (
    ("sigmoid, no shortcut", sigmoid, False),
    ("tanh, no shortcut", Tensor.tanh, False),
    ("tanh, with shortcut", Tensor.tanh, True),
):
    after[label] = fit(Deep(activation, shortcut), STEPS, rate=0.1)[-1]
    print(f"{label:22}  loss {after[label]:.4f}")

assert abs(after["sigmoid, no shortcut"] - math.log(2)) < 1e-3  # still guessing
assert QUICK or after["tanh, with shortcut"] < 0.01 < 0.1 < after["tanh, no shortcut"]

# %% [markdown]
# Every block of a Transformer has such shortcuts, under the name of residual connections;
# [The Transformer block and GPT](06-transformer-block-and-gpt.ipynb) measures them there.
#
# ## Attention, trained by our tape
#
# Now the part for which this library was written: self-attention, exactly as written. It
# consists of products, exponentials, sums and a quotient, and the tape knows the rules of
# all of them.

# %%
mg.attention_weights.equation

# %%
mg.self_attention.equation

# %%
print(inspect.getsource(attention_as_written))

v = np.random.default_rng(0).normal(size=(5, 3))
ours, theirs = Tensor(v), torch.tensor(v, requires_grad=True)
(attention_as_written(ours) ** 2).sum().backward()
(mg.self_attention(theirs) ** 2).sum().backward()
largest = np.abs(ours.grad - theirs.grad.numpy()).max()
print(f"largest difference to PyTorch's gradient: {largest:.1e}")

assert largest < 1e-10
np.testing.assert_allclose(
    attention_as_written(ours).data, mg.self_attention.equation.evaluate(v=v)
)

# %% [markdown]
# The task is a game of cards. Four cards are on the table, each with a colour and a
# number; no colour occurs twice. Then a card with a colour and a *question mark* is
# shown. Which number has the card of that colour? To answer, the model has to **look
# for** the card with the same colour and take the number from it.

# %%
COLOURS, NUMBERS, WIDTH = 6, 5, 16


def deal(n, rng):
    """A question and four cards: colours and numbers (n, 5); the answers (n,)."""
    colour = np.stack([rng.permutation(COLOURS)[:4] for _ in range(n)])
    number = rng.integers(NUMBERS, size=(n, 4))
    asked = rng.integers(4, size=n), np.arange(n)
    # 5 is the question mark
    question = np.stack([colour[asked[::-1]], np.full(n, NUMBERS)], axis=1)
    return (
        np.c_[question[:, 0], colour],
        np.c_[question[:, 1], number],
        number[asked[::-1]],
    )


colour, number, answer = deal(3, np.random.default_rng(0))
for row in range(3):
    cards = " ".join(
        f"{'abcdef'[c]}{n}"
        for c, n in zip(colour[row, 1:], number[row, 1:], strict=True)
    )
    print(
        f"cards {cards}   question {'abcdef'[colour[row, 0]]}?   answer {answer[row]}"
    )

# %% [markdown]
# Each card becomes a vector, the sum of a vector for its colour and one for its number.
# Attention mixes the five vectors, and a linear layer reads the answer from the new
# vector of the question. All these vectors are random and short at first, so that the
# scores are near 0 and the attention is nearly uniform; training changes them. For
# comparison, a second model takes the plain mean of the five vectors, so that every card
# counts the same.


# %%
class CardPlayer:
    def __init__(self, mix):
        rng = np.random.default_rng(0)
        self.mix = mix
        self.of_colour = Tensor(0.1 * rng.normal(size=(COLOURS, WIDTH)))
        self.of_number = Tensor(0.1 * rng.normal(size=(NUMBERS + 1, WIDTH)))
        self.read = Layer(WIDTH, NUMBERS, rng, linear=True)
        self.parameters = [
            self.of_colour,
            self.of_number,
            self.read.weight,
            self.read.bias,
        ]

    def vectors(self, colour, number):
        # (games, 5 cards, WIDTH)
        return self.of_colour[colour] + self.of_number[number]

    def __call__(self, colour, number):
        return self.read(self.mix(self.vectors(colour, number)))


def play(player, deal=deal, steps=400, rate=0.5):
    rng, losses = np.random.default_rng(1), []
    for _ in range(steps):
        colour, number, answer = deal(64, rng)
        loss = mean_loss(player(colour, number), answer)
        loss.backward()
        descend(player.parameters, rate)
        losses.append(loss.data.item())
    return losses


def attend(v):
    return attention_as_written(v)[:, 0]  # the new vector of the question


before = CardPlayer(attend)  # stays untrained
players = {
    "attention": CardPlayer(attend),
    "plain mean": CardPlayer(lambda v: v.mean(1)),
}
curves = {name: play(player) for name, player in players.items()}

# %% mystnb={"image": {"alt": "The loss of attention falls to nearly 0; that of the plain mean stays high."}}
figure, axes = plt.subplots(figsize=(4.8, 2.8), layout="constrained")
axes.axhline(math.log(NUMBERS), color="black", linestyle=":", label="guessing, log 5")
for name, color in (("plain mean", "tab:orange"), ("attention", "tab:blue")):
    axes.plot(curves[name], color=color, label=name)
axes.set(xlabel="step", ylabel="loss (nats)", ylim=0)
axes.legend(frameon=False)
plt.show()

colour, number, answer = deal(2000, np.random.default_rng(2))  # new games
test = {}
for name, player in players.items():
    logits = player(colour, number)
    test[name] = mean_loss(logits, answer).data.item()
    print(
        f"{name:10}  loss {test[name]:.4f}, "
        f"{np.mean(logits.data.argmax(1) == answer):.1%} right"
    )

assert test["attention"] < 0.02
assert test["plain mean"] > 1

# %% [markdown]
# Where does the question look? The weights $a_{1j}$ of three new games, before and after
# training. Position 1 is the question itself.


# %% mystnb={"image": {"alt": "Before training the weights are spread out; after it, the card asked for is dark."}}
def question_weights(player):
    v = player.vectors(colour, number)
    return (v @ v.transpose()).softmax().data[:, 0]


figure, both = plt.subplots(1, 2, figsize=(7, 2.3), layout="constrained")
for axes, (title, player) in zip(
    both, {"before": before, "after": players["attention"]}.items(), strict=True
):
    weights = question_weights(player)[:3]
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    for i in range(3):
        for j in range(5):
            card = f"{'abcdef'[colour[i, j]]}{number[i, j] if j else '?'}"
            axes.text(
                j,
                i,
                card,
                ha="center",
                va="center",
                color="white" if weights[i, j] > 0.6 else "black",
            )
    axes.set_xticks(range(5), range(1, 6))
    axes.set(yticks=[], xlabel="position", title=f"{title} training")
plt.show()

same_colour = colour[:, 1:] == colour[:, :1]
share = {}
for title, player in {"before": before, "after": players["attention"]}.items():
    cards = question_weights(player)[:, 1:]
    share[title] = np.mean(cards[same_colour] / cards.sum(1))
    print(
        f"{title:6} training: of the weight on the four cards, {share[title]:.0%} is "
        f"on the right one"
    )

products = players["attention"].of_colour.data @ players["attention"].of_colour.data.T
same, different = products.diagonal(), products[~np.eye(COLOURS, dtype=bool)]
print(
    f"dot products of colour vectors: same colour {same.min():.1f} or more, different "
    f"{different.max():.1f} or less"
)
assert same.min() > different.max() + 1
assert share["before"] < 0.4 and share["after"] > 0.9

# %% [markdown]
# Nothing in the program says that colours are to be compared. Gradient descent has made
# the colour vectors longer and turned them apart, so that a card has a large dot product
# with a card of its own colour and a small one with all others, because that lowers the
# loss. A large Transformer learns what to look for in the same
# way, with many layers, and words in place of cards.
#
# ## Try it yourself
#
# **Exercise: `neuron_gradients`.** Derive the gradients of one neuron by hand, for $N$
# examples at once: $\partial L / \partial w$ and $\partial L / \partial b$ of
#
# $$
# L = \frac{1}{N} \sum_{n=1}^{N} (a_n - y_n)^2, \qquad a_n = \tanh(w \cdot x_n + b)
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.
#
# The arguments are PyTorch tensors; NumPy's functions take them, too.


# %%
def neuron_gradients(x, w, b, y):
    """x (N, D), w (D,), b (), y (N,) → dL/dw (D,), dL/db ()."""
    # Your code.


reply = mg.check.neuron_gradients(neuron_gradients)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which numbers between the parameters and the loss exist once for each example, and
# where do the $N$ examples come together?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# Behind $a_n = \tanh(w \cdot x_n + b)$ is the derivative of `tanh`, which the
# activation itself gives: $1 - a_n^2$.
#
# </details>
#
# <details>
# <summary>Hint 3: an example</summary>
#
# The reply has two hints of its own: the mistake with the smallest example, and the
# place in the formula. In a notebook they unfold; elsewhere, `reply.hint(1)` and
# `reply.hint(2)` show them.
#
# </details>
#
# 1. `tape()` puts each node after its parents. What would `backward()` compute for
#    $f = (x + x \cdot x) \cdot x$ if it visited $x$ first and the other nodes afterwards?
# 2. Change the game of cards so that the question is answered with the number *most
#    frequent* among the four cards. Which of the two models has the advantage now, and
#    why?
#
# <details><summary>Answers</summary>
#
# 1. No gradient at all: nothing has arrived at $x$ when it is visited, and what the other
#    nodes send to it later is never added to `x.grad`.
#
# 2. The plain mean. Neither the order of the cards nor their colours matter, and the mean
#    of the number vectors tells how often each number occurs. Attention would have to give
#    all cards the same weight, and its weights depend on the vectors.
#
# ```python
# def deal_frequent(n, rng):
#     colour, number, _ = deal(n, rng)
#     return colour, number, np.array([np.bincount(row[1:]).argmax() for row in number])
#
#
# for name, mix in {"attention": attend, "plain mean": lambda v: v.mean(1)}.items():
#     curves[name] = play(CardPlayer(mix), deal_frequent)
#     print(name, np.mean(curves[name][-50:]))
# assert 2 * np.mean(curves["plain mean"][-50:]) < np.mean(curves["attention"][-50:])
# ```
#
# </details>
#
# ## Read on
#
# [Loss and optimizers](03-loss-and-optimizers.ipynb) says where the loss comes from and
# how to walk downhill faster. [Self-attention, exactly as
# written](05-self-attention-as-written.ipynb) looks at the two equations closely. The code
# of this lesson is in `minigpt/learn/autograd`, 250 lines: `tape.py` has the
# tape, `tensor.py` the rules, `network.py` the layers. Its tests compare it with PyTorch
# on a thousand random graphs.
