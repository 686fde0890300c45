# %% [markdown]
# # Loss and optimizers
#
# A model learns by walking downhill. The loss is the height, the parameters are the
# place, and an optimizer says where the next step goes. Here you
#
# - compute the loss from its definition, and find that its gradient is simply
#   *predicted minus true*;
# - see why no library takes the logarithm of a softmax in two steps;
# - walk with gradient descent, momentum, Adam, AdamW, Lion and Muon over surfaces that
#   you can see, each optimizer taken from its equation;
# - learn what a learning rate does when it is too small, right, and too large, and why
#   it rises at the start and falls at the end.
#
# About 40 minutes. You need to know what a derivative is; for the last section, what a
# matrix does to a vector.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

import minigpt as mg
from minigpt.model import log_sum_exp
from minigpt.training import newton_schulz

torch.set_default_dtype(torch.float64)
torch.set_printoptions(precision=4, sci_mode=False)
torch.set_num_threads(1)  # the parameters here are few: more threads would only wait

# %% [markdown]
# ## The loss, as written
#
# A language model gives each word of its vocabulary a score, the **logit** $z_i$. A logit
# can be any real number; a larger one means a more probable word. In the simplest model
# that can be trained, the logits after a word are one row of a matrix of parameters, a row
# for each word and a column for each word that may follow (we train it below). In a neural
# network they are the output of the last layer, and depend on all its parameters. For this
# lesson it does not matter where they come from. Softmax turns them into probabilities:

# %%
mg.softmax.equation

# %% [markdown]
# Then one word comes. Write the truth as a distribution as well: $y_i$ is 1 for the
# word that came and 0 for all others. The loss is the **cross-entropy** of the two:

# %%
mg.cross_entropy.equation

# %% [markdown]
# All terms but one are 0, so the loss is $-\log p$ of the word that came. Take five
# words, of which the second comes:

# %%
z = torch.tensor([2.0, 1.0, 0.5, -0.5, -1.0], requires_grad=True)
y = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])
p = mg.softmax(z)
loss = mg.cross_entropy(y, p)

print("p    ", p.detach())
print(
    "loss ", round(loss.item(), 4), "nats, and -log p_2 =", round(-p[1].log().item(), 4)
)
torch.testing.assert_close(
    loss, torch.from_numpy(mg.cross_entropy.equation.evaluate(y=y, p=p))
)

# %% [markdown]
# **Exercise: `softmax`.** Write softmax along the last axis; there may be others before
# it. Some logits are so large that $\exp$ overflows.
#
# $$
# p_i = \frac{\exp(z_i)}{\sum_{k=1}^{V} \exp(z_k)}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def softmax(z):
    """z (..., V) → (..., V)."""
    # Your code.


reply = mg.check.softmax(softmax)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Along which axis do the probabilities sum to 1?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The fraction keeps its value if every term of $\sum_{k=1}^{V} \exp(z_k)$ and the
# numerator are multiplied by the same number. Which number avoids the overflow?
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

# %% [markdown]
# **Exercise: `cross_entropy`.** Write the cross-entropy with **label smoothing**
# $\epsilon$: all $n$ words share $\epsilon$ of the truth equally, and the word that
# came keeps the rest. For $\epsilon = 0$ it is the equation above.
#
# $$
# L = -\sum_{i=1}^{n} \left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right) \log(p_i)
# $$


# %%
def cross_entropy(y, p, smoothing):
    """y (n,), p (n,), smoothing → a number."""
    # Your code.


reply = mg.check.cross_entropy(cross_entropy)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# How much of the smoothed truth does a word have that did not come?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In the equation $\left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right)$ takes the place
# of $y_i$. Do its $n$ values still sum to 1?
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

# %% [markdown]
# ## Its gradient: predicted minus true
#
# Put softmax into the loss. The exponential and the logarithm cancel, and what is left
# depends on the logits alone, with $c$ for the word that came:

# %%
mg.cross_entropy_from_logits.equation

# %% [markdown]
# Now differentiate by $z_i$. The logarithm of the sum gives
# $\exp(z_i) / \sum_k \exp(z_k)$, which is $p_i$ again. The last term gives $-1$ if $i$
# is the word that came, otherwise nothing. Together,
#
# $$
# \frac{\partial L}{\partial z_i} = p_i - y_i
# $$
#
# Three ways to the same five numbers: this formula; PyTorch's automatic derivative; and
# a nudge to each logit, which needs no calculus at all.

# %%
loss.backward()
by_formula = (p - y).detach()


def loss_at(logits):
    return mg.cross_entropy_from_logits(logits, torch.tensor(1))


nudge = 1e-5
by_nudge = torch.stack(
    [
        (loss_at(z.detach() + step) - loss_at(z.detach() - step)) / (2 * nudge)
        for step in nudge * torch.eye(5)
    ]
)
print("p - y    ", by_formula)
print("autograd ", z.grad)
print("nudged   ", by_nudge)
torch.testing.assert_close(by_formula, z.grad)
torch.testing.assert_close(by_formula, by_nudge)

# %% mystnb={"image": {"alt": "Bars of p and y; downhill lifts the word that came and lowers the others."}}
figure, both = plt.subplots(1, 2, figsize=(6, 2.5), layout="constrained")
place = np.arange(5)
both[0].bar(place - 0.2, p.detach(), 0.4, label="predicted, p")
both[0].bar(place + 0.2, y, 0.4, label="true, y")
both[0].legend(frameon=False)
both[0].set(ylabel="probability", xlabel="word")
colors = ["tab:green" if step > 0 else "tab:red" for step in -by_formula]
both[1].bar(place, -by_formula, color=colors)
both[1].axhline(0, color="black", linewidth=0.8)
both[1].set(ylabel="downhill, y - p", xlabel="word")
for axes in both:
    axes.set_xticks(place, range(1, 6))
plt.show()

# %% [markdown]
# The step downhill raises the logit of the word that came, and lowers each of the others
# in proportion to its probability. The five sum to 0: probability is only redistributed.
# And where belief and truth agree, learning stops.
#
# ## Why the logarithm of the sum is taken in one step
#
# In 32-bit numbers, $\exp(89)$ is infinite and $\exp(-104)$ is 0. So a model that is
# very sure, and wrong, gets an infinite loss. Here the word that came is the first, and the
# second has a logit that is larger by 50, 100, 150:

# %%
print("ahead by   softmax, then log   from the logits")
for ahead in (50.0, 100.0, 150.0):
    logits = torch.tensor([0.0, ahead], dtype=torch.float32)
    two_steps = mg.cross_entropy(torch.tensor([1.0, 0.0]).float(), mg.softmax(logits))
    one_step = mg.cross_entropy_from_logits(logits, torch.tensor(0))
    print(f"{ahead:8.0f} {two_steps:19.1f} {one_step:17.1f}")

assert two_steps.isinf() and one_step == 150
limits = torch.tensor([89.0, -104.0], dtype=torch.float32).exp()
assert limits.tolist() == [math.inf, 0.0]

# %% [markdown]
# `softmax` did nothing wrong: the probability *is* smaller than any 32-bit number, and
# so it became 0. But the loss is only 150. An infinite loss has no gradient, and one
# such word spoils the whole batch. The solution is to stay in the logarithm:

# %%
log_sum_exp.equation

# %% [markdown]
# computed as $m + \log \sum_k \exp(z_k - m)$ with $m = \max_k z_k$, which is the same
# value, and has no exponent above 0. `next_token_loss`, with which every model is
# trained, does this.

# %%
large = torch.tensor([1000.0, 999.0])
print("as written:", torch.log(torch.exp(large).sum()).item())
print("safe:      ", round(log_sum_exp(large).item(), 4))

# %% [markdown]
# ## Walking downhill
#
# From here on the loss is a landscape. A real model has millions of parameters; to
# *see* the walk we take two. The first landscape is a **ravine**: steep across, nearly
# flat along. Real losses are like that, in thousands of directions.


# %%
def ravine(theta):
    """25 times as steep in y as in x; the lowest point is (1, 0.5)."""
    x, y = theta[..., 0] - 1, theta[..., 1] - 0.5
    return (x**2 + 25 * y**2) / 2


def walk(surface, make_optimizer, start=(-3.0, 1.5), steps=60, noise=0.0, rate=None):
    """The places that an optimizer visits: (steps + 1, 2)."""
    generator = torch.Generator().manual_seed(0)
    theta = torch.tensor([start], requires_grad=True)  # a matrix of one row, for Muon
    optimizer = make_optimizer([theta])
    path = [theta.detach().clone()]
    for t in range(1, steps + 1):
        if rate is not None:
            optimizer.param_groups[0]["lr"] = rate(t)
        optimizer.zero_grad()
        surface(theta).sum().backward()
        theta.grad += noise * torch.randn(1, 2, generator=generator)
        optimizer.step()
        path.append(theta.detach().clone())
    return torch.cat(path)


def draw(axes, surface, path=None, title="", color="tab:red", x=(-4, 4), y=(-2.5, 2.5)):
    grid = torch.meshgrid(
        torch.linspace(*x, 120), torch.linspace(*y, 120), indexing="xy"
    )
    heights = surface(torch.stack(grid, dim=-1))
    heights = (heights - heights.min()).sqrt()  # more levels where it is low
    levels = torch.linspace(0, heights.max(), 10)
    axes.contourf(*grid, heights, levels, colors=plt.cm.Greys(np.linspace(0.0, 0.4, 9)))
    if path is not None:
        axes.plot(*path.T, "o-", color=color, markersize=2.5, linewidth=1)
        axes.plot(*path[0], "o", color="black", markersize=5)
    axes.set(title=title, xlim=x, ylim=y, xticks=[], yticks=[])
    axes.title.set_size(10)


# %% [markdown]
# ### Gradient descent, and the learning rate
#
# The gradient points uphill, so take a step of $\eta$ times the gradient the other way.
# ($\lambda$ is the weight decay, which is 0 until we come to AdamW.)

# %%
mg.SGD.equation

# %% [markdown]
# The **learning rate** $\eta$ is the one setting that decides most. Four walks of 40
# steps that differ in nothing else:

# %% mystnb={"image": {"alt": "Four walks in the ravine: creeping, arriving, zigzagging, and leaving the picture."}}
rates = {
    0.004: "too small",
    0.04: "about right",
    0.075: "nearly too large",
    0.0815: "too large",
}
figure, four = plt.subplots(2, 2, figsize=(7.2, 5), layout="constrained")
for axes, (rate, name) in zip(four.flat, rates.items(), strict=True):
    path = walk(ravine, lambda p, rate=rate: mg.SGD(p, lr=rate), steps=40)
    draw(axes, ravine, path, f"η = {rate}: {name}")
    print(f"η = {rate:<6}  loss {ravine(path[0]):5.1f} → {ravine(path[-1]):.3f}")
plt.show()

# %% [markdown]
# Where does "too large" begin? In a direction of curvature $c$ the gradient is $c$
# times the distance from the lowest point. One step multiplies that distance by
# $1 - \eta c$. If $\eta c < 1$ it shrinks. Between 1 and 2 it changes sides at each
# step and still shrinks: the zigzag. Above 2 it *grows*, and the walk leaves the
# picture. So the steepest direction sets the limit, $\eta < 2 / c_{\max}$, here
# $2/25 = 0.08$, while the flattest one, which then needs a long time, decides how fast
# you arrive.

# %%
for rate, goes_up in ((0.0799, False), (0.0801, True)):
    path = walk(ravine, lambda p, rate=rate: mg.SGD(p, lr=rate), steps=40)
    across = (path[:, 1] - 0.5).abs()
    print(f"η = {rate}: distance across {across[0]:.3f} → {across[-1]:.3f}")
    assert (across[-1] > across[0]) == goes_up

# %% [markdown]
# ### Momentum
#
# Remember past gradients. Those across the ravine change sign at each step and cancel;
# those along it add up.

# %%
mg.Momentum.equation

# %% [markdown]
# ### Adam
#
# Divide each parameter's mean gradient by its usual size. Then steep and flat
# directions take steps of about the same length, $\eta$, whatever the units of the
# loss.

# %%
mg.Adam.equation

# %% [markdown]
# Look at $\hat{m}_t$ and $\hat{v}_t$. Both means begin at 0, so they are too small at
# first: after one gradient $g$, $m_1 = (1 - \beta_1) g$. Division by $1 - \beta^t$
# corrects that. What if it were left out? Let the gradient be 1 at every step. Then
# both means *should* be 1 at once, and each step should be $\eta$ long.

# %% mystnb={"image": {"alt": "Without correction the means rise slowly, and the step is too long."}}
t = np.arange(1, 201)
beta_1, beta_2 = 0.9, 0.999
m, v = 1 - beta_1**t, 1 - beta_2**t  # the means of a gradient that is always 1

figure, both = plt.subplots(1, 2, figsize=(6.4, 2.8), layout="constrained")
both[0].plot(t, m, label=r"$m_t$, $\beta_1 = 0.9$")
both[0].plot(t, v, label=r"$v_t$, $\beta_2 = 0.999$")
both[0].axhline(
    1, color="black", linestyle=":", label=r"corrected, $\hat{m}_t$ and $\hat{v}_t$"
)
both[0].set(xlabel="update t", ylabel="mean of the gradients, of the squares")
both[0].legend(frameon=False, fontsize=9)
both[1].plot(t, m / np.sqrt(v), color="tab:red", label="without correction")
both[1].axhline(1, color="black", linestyle=":", label="corrected")
both[1].set(xlabel="update t", ylabel="length of the step / η", ylim=0)
both[1].legend(frameon=False, fontsize=9)
plt.show()

longest = (m / np.sqrt(v)).max()
print(f"without correction, the longest step is {longest:.1f} η")

# %% [markdown]
# The second mean forgets more slowly, so it lags longer, and it is in the denominator:
# the first steps would be far too long, just when the model knows least. With the
# correction, the very first step of Adam is $\eta$ in every parameter; the gradient
# decides only its sign:

# %%
parameters = torch.zeros(3, requires_grad=True)
adam = mg.Adam([parameters], lr=0.1)
parameters.grad = torch.tensor([1000.0, 0.001, -7.0])
adam.step()
parameters.detach()

# %% [markdown]
# ### Lion and Muon
#
# **Lion** drops the sizes altogether and keeps signs. Every parameter moves by exactly
# $\eta$ at every step, so its walks run along diagonals, and it remembers one number
# where Adam remembers two.

# %%
mg.Lion.equation

# %% [markdown]
# **Muon** treats a matrix as a whole. $O(u)$ makes all its directions equally long; the
# end of this lesson shows how. Our place in the plane is a matrix of a single row, which
# has a single direction, so in these pictures Muon is momentum whose steps all have about
# the same length.

# %%
mg.Muon.equation

# %% [markdown]
# ### The equation walks too
#
# Is the optimizer that the library runs the one that it shows? The equation can be
# evaluated, so let it walk alone: each update is the LaTeX above, read and computed,
# and what it calls $m_t$ is handed to the next update as $m_{t-1}$. Then compare.


# %%
def walk_by_equation(optimizer, surface, steps=8, start=(-3.0, 1.5), **settings):
    equation = optimizer.equation
    theta = torch.tensor([start] if optimizer is mg.Muon else start)
    memory = {
        m: torch.zeros_like(theta) for m in equation.inputs if m.endswith("minus_1")
    }
    for t in range(1, steps + 1):
        memory["theta_t_minus_1"] = theta.requires_grad_()
        (g,) = torch.autograd.grad(surface(theta).sum(), theta)
        counter = {"t": t} if "t" in equation.inputs else {}
        after = equation.evaluate_all(**memory, **counter, **settings, g_t=g)
        theta = torch.from_numpy(after.pop("theta_t"))
        memory = {f"{name}_minus_1": value for name, value in after.items()}
    return theta.reshape(1, 2)


def orthogonal(matrix):
    a, b, c = ([x] * 5 for x in (3.4445, -4.7750, 2.0315))
    return mg.equations.get("newton-schulz").evaluate(
        G=matrix, a=a, b=b, c=c, epsilon=1e-7
    )


betas = {"beta_1": 0.9, "beta_2": 0.99}
cases = {
    "SGD": {"eta": 0.04, "lambda_": 0},
    "Momentum": {"eta": 0.02, "mu": 0.8, "n": 0, "lambda_": 0},
    "Adam": {"eta": 0.3, **betas, "epsilon": 1e-8, "lambda_": 0},
    "AdamW": {"eta": 0.3, **betas, "epsilon": 1e-8, "lambda_": 0.1},
    "Lion": {"eta": 0.1, "beta_1": 0.9, "beta_2": 0.9, "lambda_": 0},
    "Muon": {"eta": 1.0, "mu": 0.9, "lambda_": 0, "O": orthogonal, "R": 1, "C": 2},
}
optimizers = {
    "SGD": lambda p: mg.SGD(p, lr=0.04),
    "Momentum": lambda p: mg.Momentum(p, lr=0.02, momentum=0.8),
    "Adam": lambda p: mg.Adam(p, lr=0.3, betas=(0.9, 0.99)),
    "AdamW": lambda p: mg.AdamW(p, lr=0.3, betas=(0.9, 0.99), weight_decay=0.1),
    "Lion": lambda p: mg.Lion(p, lr=0.1, betas=(0.9, 0.9), weight_decay=0),
    "Muon": lambda p: mg.Muon(p, lr=1.0, momentum=0.9, weight_decay=0),
}
for name, settings in cases.items():
    by_equation = walk_by_equation(getattr(mg, name), ravine, **settings)
    by_class = walk(ravine, optimizers[name], steps=8)[-1:]
    torch.testing.assert_close(by_equation, by_class)
    print(
        f"{name:9} after 8 updates at ({by_class[0, 0]:+.4f}, {by_class[0, 1]:+.4f}), "
        f"both"
    )

# %% [markdown]
# ### Five walks in the ravine

# %% mystnb={"image": {"alt": "Five walks in the ravine and the loss of each against the steps."}}
figure, six = plt.subplots(2, 3, figsize=(8.4, 5), layout="constrained")
racers = ("SGD", "Momentum", "Adam", "Lion", "Muon")
for axes, name, color in zip(six.flat, racers, plt.cm.tab10.colors, strict=False):
    path = walk(ravine, optimizers[name])
    draw(axes, ravine, path, name, color)
    axes.title.set_color(color)
    six[1, 2].semilogy(ravine(path), color=color)
six[1, 2].set(xlabel="step", ylabel="loss", ylim=(1e-6, 1e2))
plt.show()

# %% [markdown]
# Gradient descent goes down the steep side first and then creeps along the floor.
# Momentum overshoots and comes back, like a ball. Adam and Lion set out along the
# diagonal, since steep and flat count alike. The steps of Lion and Muon never get
# shorter, so these two end up jumping around the goal: a fixed length is good far away
# and bad close by. The schedule below takes care of that. Do not read the picture as a
# ranking: each optimizer here has one rate, and with another rate it would take another
# path.
#
# ### A saddle
#
# In many dimensions most flat places are not valleys but passes: up in some directions,
# down in others. Near a pass the gradient is nearly 0, and along the ridge it points at
# the pass.


# %%
def saddle(theta):
    """A pass at (0, 0); valleys at y = +1.5 and y = -1.5."""
    x, y = theta[..., 0], theta[..., 1]
    return x**2 / 2 - y**2 / 2 + y**4 / 9


# %% mystnb={"image": {"alt": "Five walks to the pass; gradient descent lingers there longest."}}
steps_needed = {}
figure, axes = plt.subplots(figsize=(5.6, 3.9), layout="constrained")
draw(axes, saddle)
for name, color in zip(racers, plt.cm.tab10.colors, strict=False):
    path = walk(saddle, optimizers[name], start=(-3.0, 0.01), steps=200)
    left = (path[:, 1].abs() > 0.75).nonzero().min().item()
    axes.plot(
        *path[: left + 1].T, "o-", color=color, markersize=2.5, linewidth=1, label=name
    )
    print(f"{name:9} has left the pass after {left:3} steps")
    steps_needed[name] = left
axes.plot(-3, 0.01, "o", color="black")
axes.plot(0, 0, "X", color="black", markersize=8)
axes.text(0.1, -0.12, "the pass")
axes.set(ylim=(-0.3, 0.9), xlim=(-3.2, 1.5))
axes.legend(frameon=False)
plt.show()

assert max(steps_needed, key=steps_needed.get) == "SGD"

# %% [markdown]
# Gradient descent and momentum walk to the pass and wait there until the slope, tiny at
# first, has grown. Adam and Lion hardly notice the pass: they use the sign of each slope
# and not its size. Muon's steps are long, too, but they follow the gradient as a whole,
# and that points at the pass.
#
# ## Noise, and why the rate should fall
#
# The gradient of a batch is that of the whole text plus noise. Near the lowest point
# only the noise is left, and a walk with a constant rate never comes to rest: it keeps
# shaking at a distance that grows with $\eta$. So the rate has to be large at first, to
# get there, and small at the end, to settle. That is what a **schedule** does:

# %%
mg.warmup_cosine.equation

# %% mystnb={"image": {"alt": "Four schedules: a short rise, then constant, cosine, linear, or a late fall."}}
STEPS = 300
times = range(1, STEPS + 1)
figure, axes = plt.subplots(figsize=(4.8, 2.6), layout="constrained")
for name, schedule in mg.SCHEDULES.items():
    values = [
        schedule(t, peak=1.0, final=0.0, warmup_steps=30, steps=STEPS) for t in times
    ]
    axes.plot(times, values, label=name, linewidth=2)
axes.set(xlabel="update t", ylabel="learning rate / its peak")
axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.12, 0))
plt.show()

# %% [markdown]
# Every schedule begins with a **warm-up**. You have seen that Adam's first step has
# full length whatever the gradient says, and at first it says little: it comes from one
# batch, at a place where nothing is learned yet. Short steps at the start cost little
# and keep a random direction from leading the model astray.
#
# Here is a bowl with noise, a constant rate, and a cosine.


# %%
def bowl(theta):
    return (theta[..., 0] ** 2 + 2 * theta[..., 1] ** 2) / 2


def cosine(peak):
    return lambda t: mg.warmup_cosine(
        t, peak=peak, final=0.0, warmup_steps=30, steps=STEPS
    )


# %% mystnb={"image": {"alt": "Left a cloud around the lowest point, right a walk that settles on it."}}
figure, both = plt.subplots(1, 2, figsize=(7.4, 3.4), layout="constrained")
distance = {}
for axes, (name, rate) in zip(
    both, {"constant": None, "cosine": cosine(0.1)}.items(), strict=True
):
    path = walk(
        bowl,
        lambda p: mg.Adam(p, lr=0.1),
        noise=3.0,
        steps=STEPS,
        rate=rate,
        start=(-3.0, 2.0),
    )
    draw(axes, bowl, path, f"Adam, {name} rate", "tab:green")
    axes.plot(
        *path[-50:].T, "o", color="tab:orange", markersize=3, label="last 50 steps"
    )
    axes.legend(frameon=True, loc="lower right")
    distance[name] = path[-50:].norm(dim=1).mean().item()
    print(f"{name:8}  mean distance in the last 50 steps: {distance[name]:.3f}")
plt.show()

assert distance["cosine"] < 0.5 * distance["constant"]

# %% [markdown]
# ## Weight decay: Adam's trap, and AdamW
#
# A model whose weights stay small often does better on new text. The classic way is a
# penalty in the loss, $\frac{\lambda}{2} \theta^2$, whose gradient $\lambda \theta$ is
# added to $g$. In gradient descent that shrinks every weight by the same share. But
# Adam divides the gradient, *with* the penalty in it, by its usual size. Two weights
# that should both decay from 1, one with large noise in its gradient and one with
# small:

# %%
mg.AdamW.equation


# %% mystnb={"image": {"alt": "With Adam only the quiet weight decays; with AdamW both do alike."}}
def decay(make_optimizer, steps=2000):
    generator = torch.Generator().manual_seed(0)
    weights = torch.ones(2, requires_grad=True)
    optimizer = make_optimizer([weights])
    path = []
    for _ in range(steps):
        weights.grad = torch.tensor([10.0, 0.1]) * torch.randn(2, generator=generator)
        optimizer.step()
        path.append(weights.detach().clone())
    return torch.stack(path)


figure, both = plt.subplots(1, 2, figsize=(6, 2.5), sharey=True, layout="constrained")
ends = {}
for axes, optimizer in zip(both, (mg.Adam, mg.AdamW), strict=True):
    name = optimizer.__name__
    path = decay(lambda p, make=optimizer: make(p, lr=1e-3, weight_decay=1.0))
    axes.plot(path[:, 0], label="loud gradient")
    axes.plot(path[:, 1], label="quiet gradient")
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(title=name, xlabel="step")
    ends[name] = path[-1]
    print(f"{name:6} loud {path[-1, 0]:.2f}, quiet {path[-1, 1]:.2f}")
both[0].set(ylabel="weight")
both[0].legend(frameon=False)
plt.show()

assert ends["Adam"][0] > 0.5 > ends["Adam"][1].abs()
# exp(-η λ t), but for the noise
assert (ends["AdamW"] - math.exp(-2)).abs().max() < 0.2

# %% [markdown]
# In Adam the loud weight hardly decays. AdamW takes the decay *out* of the gradient and
# shrinks the weights themselves, so both decay alike. That is the whole difference
# between the two, and one reason among several why language models are trained with
# AdamW: it also keeps the step lengths of Adam, which suit gradients of very different
# sizes, and its rate and its decay can be tuned separately.
#
# **Exercise: `adamw_step`.** Write one update of AdamW. The arguments $m$ and $v$ are
# the means before it, and $t$ counts the updates from 1.
#
# $$
# m_t = \beta_1 m_{t-1} + (1 - \beta_1) g_t, \qquad
# v_t = \beta_2 v_{t-1} + (1 - \beta_2) g_t^2, \qquad
# \theta_t = \theta_{t-1} -
# \eta \left(\frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda \theta_{t-1}\right)
# $$


# %%
def adamw_step(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    """Tensors of one shape, the step t, and numbers → the new param, m and v."""
    # Your code.


reply = mg.check.adamw_step(adamw_step)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which means are kept for the next update: $m_t$ and $v_t$, or the same divided by
# $1 - \beta^t$?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In
# $\frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon} + \lambda \theta_{t-1}$
# the decay is outside the fraction. Where is it in Adam?
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
# ## Muon: all directions of a matrix
#
# (You may skip this section and come back to it with [Training
# strategy](08-training-strategy.ipynb), where Muon trains a Transformer.)
#
# Most parameters of a Transformer are matrices, and so are their gradients. A matrix
# turns a circle into an ellipse (in more dimensions, a sphere into an ellipsoid); the
# half axes are its **singular values**. The ellipse of a gradient is typically thin: a
# step along it moves the weights in one or two directions, and hardly in all others.
# Muon replaces each singular value by about 1 and keeps the directions. It needs no
# singular value decomposition for that, only five rounds of matrix products, called
# Newton–Schulz:

# %%
mg.equations.get("newton-schulz")

# %% [markdown]
# If $X$ has the singular value $s$, then $a X + b X X^\top X + c X X^\top X X^\top X$
# has $a s + b s^3 + c s^5$, in the same direction. Division by the norm has brought all
# $s$ between 0 and 1. The numbers $a, b, c$ are chosen so that this odd polynomial,
# applied again and again, lifts them to the neighbourhood of 1:

# %% mystnb={"image": {"alt": "A thin ellipse becomes nearly a circle; small singular values rise to about 1."}}
turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
matrix = turn @ torch.diag(torch.tensor([1.0, 0.08])) @ turn.T
angle = torch.linspace(0, 2 * math.pi, 200)
circle = torch.stack([angle.cos(), angle.sin()])

figure, both = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
for rounds, color in ((0, "tab:orange"), (5, "tab:blue")):
    ellipse = newton_schulz(matrix, steps=rounds) @ circle
    both[0].plot(*ellipse, color=color, label=f"{rounds} rounds")
both[0].set(aspect="equal", title="what becomes of a circle", xlim=(-1.15, 2.2))
both[0].legend(frameon=False, fontsize=9, loc="upper right")

before = after = torch.logspace(-4, 0, 600)
for rounds, color in zip(
    range(1, 6), plt.cm.Blues(np.linspace(0.3, 1, 5)), strict=True
):
    after = 3.4445 * after - 4.7750 * after**3 + 2.0315 * after**5
    if rounds in (1, 3, 5):
        both[1].semilogx(before, after, color=color, label=f"rounds: {rounds}")
both[1].set(xlabel="singular value before", ylabel="after", ylim=(0, 1.3))
both[1].legend(frameon=False, fontsize=9)
plt.show()

torch.testing.assert_close(
    torch.linalg.svdvals(newton_schulz(torch.ones(1, 1), steps=5)), after[-1:]
)

# %% [markdown]
# Not exactly 1, and that is on purpose: the coefficients trade precision for speed.
#
# ## A race with a known best
#
# In a race somebody always wins, even where all are slow. So take one whose best time
# is known. A bigram model of letters (the notebook [What a language model
# is](01-language-models.ipynb) counts one) can also be *learned*: let row $h$ of a
# matrix $W$ hold the logits of the letter after letter $h$, start at 0, and walk
# downhill. The best that there is are the logarithms of the counts, so the lowest loss
# is known exactly.

# %%
text = mg.TinyWorld().text(300)
letters = mg.CharTokenizer.train(text)
V = letters.vocab_size
ids = torch.tensor(letters.encode(text))
pairs = torch.zeros(V, V).index_put(
    (ids[:-1], ids[1:]), torch.tensor(1.0), accumulate=True
)
share = pairs / pairs.sum()  # of each pair of neighbours among all pairs


def bigram_loss(W):
    return -(share * mg.log_softmax(W)).sum()


floor = (
    -torch.xlogy(share, pairs / pairs.sum(1, keepdim=True).clamp(min=1)).sum().item()
)
start = bigram_loss(torch.zeros(V, V)).item()
print(
    f"{V} letters; loss of guessing {start:.4f}, lowest possible {floor:.4f} nats per "
    f"letter"
)

# %% mystnb={"image": {"alt": "Singular values of a gradient span powers of ten; five rounds flatten them."}}
W = torch.zeros(V, V, requires_grad=True)
bigram_loss(W).backward()

figure, axes = plt.subplots(figsize=(4.8, 3), layout="constrained")
for rounds, color in zip(
    (0, 1, 3, 5), plt.cm.Blues([0.35, 0.55, 0.75, 1.0]), strict=True
):
    values = torch.linalg.svdvals(newton_schulz(W.grad, steps=rounds))
    axes.semilogy(range(1, V + 1), values, color=color, label=f"{rounds} rounds")
axes.set(xlabel="direction", ylabel="singular value", ylim=(1e-4, 3), xlim=(0, V))
axes.legend(frameon=False)
plt.show()

between = ((values > 0.5) & (values < 1.3)).sum().item()
rank = torch.linalg.matrix_rank(W.grad).item()
print(f"{rank} of {V} singular values are not 0;")
print(f"after 5 rounds, {between} of them lie between 0.5 and 1.3")

# %% [markdown]
# Before, only the first few directions count. After five rounds nearly all count alike;
# only values that were many thousand times smaller are not raised all the way. Singular
# values that are 0 stay 0: Muon invents no direction.
#
# Now the race. Each optimizer gets five learning rates, each three times the last, and
# 100 updates. What is plotted is the **excess**, the loss above the lowest possible.


# %%
def race(make_optimizer, updates=100):
    W = torch.zeros(V, V, requires_grad=True)
    optimizer = make_optimizer([W])
    excess = []
    for _ in range(updates):
        optimizer.zero_grad()
        loss = bigram_loss(W)
        loss.backward()
        optimizer.step()
        excess.append(loss.item() - floor)
    return excess


field = {
    "SGD": (10, lambda p, lr: mg.SGD(p, lr=lr)),
    "Momentum": (3, lambda p, lr: mg.Momentum(p, lr=lr)),
    "Adam": (0.1, lambda p, lr: mg.Adam(p, lr=lr, betas=(0.9, 0.99))),
    "Lion": (0.03, lambda p, lr: mg.Lion(p, lr=lr, weight_decay=0)),
    "Muon": (0.1, lambda p, lr: mg.Muon(p, lr=lr, weight_decay=0)),
}
curves = {
    name: {
        lowest * 3**k: race(lambda p, lr=lowest * 3**k, make=make: make(p, lr))
        for k in range(5)
    }
    for name, (lowest, make) in field.items()
}

# %% mystnb={"image": {"alt": "Excess by update, and by learning rate: each optimizer has a valley of its own."}}
figure, both = plt.subplots(1, 2, figsize=(7.4, 3.2), sharey=True, layout="constrained")
best_rates = []
for (name, runs), color in zip(curves.items(), plt.cm.tab10.colors, strict=False):
    best = min(runs, key=lambda rate: runs[rate][-1])
    both[0].semilogy(runs[best], color=color, label=f"{name}, η = {best:g}")
    both[1].loglog(runs.keys(), [run[-1] for run in runs.values()], "o-", color=color)
    print(f"{name:9} best rate {best:5g}, excess {runs[best][-1]:.1e} nats per letter")
    best_rates.append(best)
    assert -1e-9 < runs[best][-1] < 0.2
assert max(best_rates) > 100 * min(best_rates)
both[0].set(
    xlabel="update", ylabel="excess (nats per letter)", title="at its best rate"
)
both[0].legend(frameon=False, fontsize=9)
both[1].set(xlabel="learning rate η", title="after 100 updates")
plt.show()

# %% [markdown]
# Look at the right side first. Each optimizer has a valley of its own, and their lowest
# points are at learning rates hundreds of times apart. *A comparison at one rate for all
# says nothing*; search the rate of each. (`mg.find_learning_rate` does a quick search;
# `mg.compare` runs several settings with several seeds.) Then the left side: plain
# gradient descent is slow here for the reason that you saw in the ravine. A rare
# letter's row has a tiny gradient, a frequent one's a large one, and one rate has to
# serve both. The optimizers that bring all steps to one length avoid this.
#
# This is one small, smooth problem. Which optimizer trains a Transformer best is a
# question for measurements on Transformers.
#
# ## Try it yourself
#
# 1. In the ravine, what is the best rate of plain gradient descent? It is the one for
#    which both directions shrink equally fast: $|1 - \eta| = |1 - 25 \eta|$.
# 2. Use the loss with **label smoothing** $\epsilon$: what does its gradient become,
#    and where is it 0?
# 3. In the race, Lion does badly at its lowest rate, 0.03. How far can a weight have
#    come after 100 updates, and how far should it go?
#
# <details><summary>Answers</summary>
#
# 1. $1 - \eta = 25 \eta - 1$, so $\eta = 2/26$, and each step multiplies both distances
#    by $24/26$.
#
# ```python
# path = walk(ravine, lambda p: mg.SGD(p, lr=2 / 26), steps=40)
# print(ravine(path[-1]).item(), (24 / 26) ** 80 * ravine(path[0]).item())
# ```
#
# 2. The truth becomes $(1 - \epsilon) y_i + \epsilon / n$, and the gradient is still
#    predicted minus true. So it is 0 where $p$ equals the smoothed truth; never at
#    certainty.
#
# ```python
# from minigpt.model import smoothed_cross_entropy
#
# logits = torch.tensor([2.0, 1.0, 0.5, -0.5, -1.0], requires_grad=True)
# smoothed_cross_entropy(y, mg.softmax(logits), 0.1).backward()
# torch.testing.assert_close(
#     logits.grad, mg.softmax(logits).detach() - (0.9 * y + 0.1 / 5)
# )
# ```
#
# 3. Each update moves it by $\eta$, so at most by 3. Among the pairs of the most
#    frequent letter alone, the logarithms of the counts are further apart, and those of
#    pairs that never occur should go to $-\infty$.
#
# ```python
# counted = pairs[pairs.sum(1).argmax()]
# counted = counted[counted > 0].log()
# print(f"at most {100 * 0.03:.0f}; wanted {(counted.max() - counted.min()).item():.1f}")
# assert counted.max() - counted.min() > 3
# ```
#
# </details>
#
# ## Read on
#
# [What a language model is](01-language-models.ipynb) says what a loss of 1.9 means,
# and when it means nothing. [Neural networks and
# backpropagation](02-neural-networks-and-backpropagation.ipynb) shows how the gradients are
# computed. The optimizers are in `minigpt/training/optim`, one a file,
# each under its equation; the schedules in `minigpt/training/schedule.py`; gradient
# clipping, which limits the effect of a single bad batch, in
# `minigpt/training/optim/clipping.py`.
