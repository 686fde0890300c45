# %% [markdown]
# # Self-attention, exactly as written
#
# Self-attention lets each position of a sequence look at all the others and take from
# them what it needs. It is the one part of a Transformer that moves information from
# word to word. Two equations say all of it. Here you
#
# - work both equations out on three small vectors, with numbers for a blackboard;
# - see where the formula breaks, and the repair that changes nothing in its value;
# - go from there to what today's models run, **one change at a time** – scale, causal
#   mask, projections, heads, shared keys and values, sliding window – and after each
#   change check which setting undoes it.
#
# About 30 minutes. You need to know what a dot product is, and that `exp` is never
# negative.

# %%
from math import exp

import matplotlib.pyplot as plt
import torch

import minigpt as mg

torch.set_default_dtype(torch.float64)  # as Python's own floats are
torch.set_printoptions(precision=4, sci_mode=False)

# %% [markdown]
# ## Three vectors
#
# A sequence of $n$ words comes in as $n$ vectors $v_1, \dots, v_n$, one a word. A
# trained model would have learned them. We choose three, in the plane, that are easy to
# compute by hand.

# %% mystnb={"image": {"alt": "Three arrows: to the right, up, and along the diagonal."}}
v = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def draw_arrows(axes, vectors, color, name, label_height=0.04):
    for number, (x, y) in enumerate(vectors.tolist(), start=1):
        arrow = {"arrowstyle": "->", "color": color, "lw": 2}
        axes.annotate("", (x, y), (0, 0), arrowprops=arrow)
        axes.text(x + 0.04, y + label_height, f"${name}_{number}$", color=color)
    axes.set(xlim=(-0.1, 1.3), ylim=(-0.1, 1.3), aspect="equal")


figure, axes = plt.subplots(figsize=(3.2, 3.2))
draw_arrows(axes, v, "tab:blue", "v")

# %% [markdown]
# ## First equation: who looks at whom
#
# How much position $i$ attends to position $j$ is
#
# $$
# a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}
# $$
#
# Read it from the inside. The dot product $v_i \cdot v_j$ is a **score**: large where
# two vectors point the same way. The exponential makes every score positive and
# stretches the differences. The sum divides each row by its total, so that the
# **weights** of one position, $a_{i1}, a_{i2}, \dots, a_{in}$, share out exactly 1.
#
# Here are the three steps for position 1, in plain Python, with nothing from the
# library.

# %%
rows = v.tolist()


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


scores_1 = [dot(rows[0], v_j) for v_j in rows]
exp_scores_1 = [exp(score) for score in scores_1]
total_1 = sum(exp_scores_1)
weights_1 = [e / total_1 for e in exp_scores_1]

print("scores       v_1·v_j         ", scores_1)
print("exponentials exp(v_1·v_j)    ", [round(e, 4) for e in exp_scores_1])
print("their sum                    ", round(total_1, 4))
print("weights      a_1j            ", [round(a, 4) for a in weights_1])

# %% [markdown]
# Position 1 takes as much from position 3 as from itself, since
# $v_1 \cdot v_3 = v_1 \cdot v_1 = 1$. From position 2, which is at a right angle to it,
# it takes least – but not nothing, since $\exp(0) = 1$. *A weight is never 0.*
#
# ### Why the exponential?
#
# To share out 1 in proportion to the scores, one could simply divide by their sum. Try
# both on four rows of scores:


# %%
def shares(numbers):
    total = sum(numbers)
    return [round(x / total, 2) for x in numbers] if total else "division by 0"


print(f"{'scores':24}{'score / sum of scores':26}exp / sum of exp")
for row in ([2, 1, 0], [2, -1, 0.5], [2, -1, -1], [102, 101, 100]):
    print(f"{row!s:24}{shares(row)!s:26}{shares([exp(score) for score in row])}")

# %% [markdown]
# The plain quotient fails as soon as a score is negative: shares above 1 and below 0 in
# the second row, none at all in the third. And it depends on where the scores begin: the
# last row is the first plus 100, and its differences are lost. With the exponential all
# shares are positive, and only *differences* of scores count: adding 100 to each
# multiplies every exponential by $\exp(100)$, which cancels.
#
# Now all rows; the formula takes two lines. And the library, which should give the same.


# %%
def weights_of(v_i):
    total = sum(exp(dot(v_i, v_k)) for v_k in rows)
    return [exp(dot(v_i, v_j)) / total for v_j in rows]


by_hand = [weights_of(v_i) for v_i in rows]
weights = mg.attention_weights(v)

torch.testing.assert_close(weights, torch.tensor(by_hand))
weights

# %% [markdown]
# ### The formula is part of the code
#
# A formula typed twice, once to read and once to run, will drift apart. Here it is
# written once, on the function:

# %%
mg.attention_weights.equation

# %% [markdown]
# And it can be *evaluated*. The library reads the LaTeX, not the code, and takes every
# sum term by term:

# %%
literal = mg.attention_weights.equation.evaluate(v=v)

torch.testing.assert_close(weights, torch.from_numpy(literal))
literal

# %% [markdown]
# Or one row at a time, with the numbers for the blackboard:

# %%
mg.attention_weights.equation.steps(v=v, i=2)

# %% [markdown]
# Every formula of the library can be evaluated like this; `mg.equations.all()` lists them,
# and the tests compare each function with its own.

# %% [markdown]
# As a picture: row $i$ shows what position $i$ attends to. Look at the rows, one by one;
# each sums to 1.


# %% mystnb={"image": {"alt": "Heat map of the weights; position 3 attends most to itself."}}
def heat_map(axes, weights, title="", numbers=True):
    n = len(weights)
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1)
    for i, j in weights.nonzero().tolist() if numbers else []:
        color = "white" if weights[i, j] > 0.6 else "black"
        number = f"{weights[i, j]:.2f}"
        axes.text(j, i, number, ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(n), range(1, n + 1))
    axes.set_yticks(range(n), range(1, n + 1))
    axes.set(xlabel="attended position", ylabel="position", title=title)


figure, axes = plt.subplots(figsize=(3.2, 3.2))
heat_map(axes, weights)

# %% [markdown]
# **Exercise: `attention_weights`.** Write the first equation for all positions at once.
# Row $i$ of the result holds the weights of position $i$.
#
# $$
# a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def attention_weights(v):
    """v (n, d) → (n, n)."""
    # Your code.


reply = mg.check.attention_weights(attention_weights)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which numbers share a denominator: those of a row, or those of a column?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\sum_{k=1}^{n} \exp(v_i \cdot v_k)$ there is no $j$: $i$ is fixed, and $k$ takes
# every position.
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
# ## Second equation: what it takes home
#
# Each position replaces its vector by the weighted mean of all vectors:
#
# $$
# v'_i = \sum_{j=1}^{n} a_{ij} v_j
# $$


# %%
def mean_of_rows(weights):
    weighted = [[a * x for x in v_j] for a, v_j in zip(weights, rows, strict=True)]
    return [sum(coordinate) for coordinate in zip(*weighted, strict=True)]


new_by_hand = [mean_of_rows(row) for row in by_hand]
new = mg.self_attention(v)

torch.testing.assert_close(new, torch.tensor(new_by_hand))
new

# %% [markdown]
# A mean with positive weights cannot leave the triangle that the old vectors span, so
# attention pulls them together. Other parts of the block push them apart again: the
# residual sum, the projections, the MLP.

# %% mystnb={"image": {"alt": "The three new vectors lie inside the triangle of the three old ones."}}
figure, axes = plt.subplots(figsize=(3.6, 3.6))
axes.fill(*v.T.tolist(), color="tab:blue", alpha=0.1)
draw_arrows(axes, v, "tab:blue", "v")
draw_arrows(axes, new, "tab:red", "v'", label_height=-0.08)

# %% [markdown]
# **Exercise: `self_attention`.** Write the second equation, with the weights of the
# first. The result holds the new vectors, one a row.
#
# $$
# v'_i = \sum_{j=1}^{n} a_{ij} v_j
# $$


# %%
def self_attention(v):
    """v (n, d) → (n, d)."""
    # Your code.


reply = mg.check.self_attention(self_attention)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# New vector $i$ is a weighted mean. Are its weights row $i$ of the table, or column
# $i$?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\sum_{j=1}^{n} a_{ij} v_j$ the sum runs over the columns of $a$ and the rows of
# $v$. Which product of the two tables is that?
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
# **Try it yourself.** 1. Change *one* of the six numbers in `v` so that position 1
# attends mostly to position 3 – more than to itself. 2. Reverse the order of the three
# vectors. What happens to the new ones?
#
# <details>
# <summary>Answers</summary>
#
# 1. Make $v_3$ longer in the direction of $v_1$, for instance $v_3 = (3, 1)$. Then
#    $v_1 \cdot v_3 = 3$ beats $v_1 \cdot v_1 = 1$. Length counts as much as direction: a
#    long vector gets attention from every vector that points its way.
# 2. They come out reversed too, and otherwise unchanged. No equation above mentions the
#    *position* of a vector; the sums run over all positions alike. As written,
#    attention does not know the order of the words. The next cell checks both.
#
# </details>

# %%
longer = torch.tensor([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0]])
print("position 1 attends to 1, 2, 3 with", mg.attention_weights(longer)[0])

torch.testing.assert_close(mg.self_attention(v.flip(0)), mg.self_attention(v).flip(0))

# %% [markdown]
# ## Where the formula breaks
#
# The exponential grows fast. In 32-bit numbers, which models are trained in, it leaves
# the range between 88 and 89.

# %%
torch.exp(torch.tensor([88.0, 89.0], dtype=torch.float32)).tolist()

# %% [markdown]
# A score of 89 is nothing unusual: a vector of 128 ones has 128 as its dot product with
# itself. Infinity over infinity is not a number, so `attention_weights`, which computes
# the formula as written and nothing else, raises an error.

# %%
long_vectors = 10 * v.to(torch.float32)
try:
    mg.attention_weights(long_vectors)
except ValueError as error:
    print(error)

# %% [markdown]
# The repair is free. Multiply numerator and denominator by the same number $\exp(-m)$, and
# the fraction keeps its value:
#
# $$
# \frac{\exp(s_j)}{\sum_{k} \exp(s_k)} = \frac{\exp(s_j - m)}{\sum_{k} \exp(s_k - m)}
# $$
#
# Choose $m = \max_k s_k$, and no exponent is above 0; the largest term is
# $\exp(0) = 1$. This form of the fraction is what everyone calls **softmax**.

# %%
scores = v @ v.T
torch.testing.assert_close(mg.softmax(scores), weights)  # equal where both have a value
mg.softmax(1000 * scores)  # and a value where the formula as written has none

# %% [markdown]
# At a thousand times the score, softmax has become a choice: the largest score takes
# everything, and equal ones share.
#
# ## One change at a time
#
# From here on each section changes one thing. `mg` has a function for each step, and
# the cell that ends a section checks which setting gives back the step before. The
# names change with the first step. The vector that looks is the **query**, the vector
# that it is compared with is the **key**, and the vector that it takes home is the
# **value**. As written, $v_i$ plays all three parts.
#
# The three names come from a look-up table. A Python dictionary compares a query with its
# keys and returns the value of the one that is *equal*. Attention compares the query with
# all keys, too, but a key may fit more or less well, and the answer is a mean of all
# values, weighted by how well their keys fit. Take the sentence *Anna gave the kite to
# Ben*, and let us choose keys of three numbers: does this word name a person, a man, a
# thing? Three queries ask for *a person who is a man* (the next word might be *he*), for
# any person, and for a thing. With the identity matrix as values, the answer shows the
# weight of each word.

# %%
sentence = ["Anna", "gave", "the", "kite", "to", "Ben"]
keys = torch.zeros(6, 3)
keys[0] = torch.tensor([1.0, -1.0, 0.0])  # Anna: a person, not a man
keys[3] = torch.tensor([0.0, 0.0, 1.0])  # kite: a thing
keys[5] = torch.tensor([1.0, 1.0, 0.0])  # Ben: a person, a man

asked = {
    "a man": [3.0, 3.0, 0.0],
    "a person": [3.0, 0.0, 0.0],
    "a thing": [0.0, 0.0, 3.0],
}
queries = torch.tensor(list(asked.values()))
answers = mg.scaled_attention(queries, keys, torch.eye(6), scale=1)

print(" " * 10 + "".join(f"{word:>7}" for word in sentence))
for name, answer in zip(asked, answers, strict=True):
    print(f"{name:10}" + "".join(f"{weight:7.2f}" for weight in answer))
assert (
    sentence[answers[0].argmax()] == "Ben" and sentence[answers[2].argmax()] == "kite"
)

# %% [markdown]
# A look-up that is never quite certain has two advantages: it can answer with *Anna and
# Ben, half each*, and its weights have a gradient, so a model can learn which queries and
# keys to make. In a model nobody chooses these numbers; training finds them.
#
# Here the queries did not belong to the sentence. That is **cross-attention**: queries from
# one sequence, keys and values from another, as when the decoder of the first Transformer
# (2017) looks up words of the sentence that it translates. In *self*-attention, and in the
# rest of this lesson, all three come from the same sequence.

# %%
generator = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(*shape, generator=generator)


def check_same(a, b):
    torch.testing.assert_close(a, b)
    print("the same numbers")


# %% [markdown]
# ### Scale
#
# $$
# a_{ts} = \frac{\exp(q_t \cdot k_s / \sqrt{E})}
#               {\sum_{r=1}^{S} \exp(q_t \cdot k_r / \sqrt{E})}
# $$
#
# Why divide? A dot product is a sum of $E$ terms, $E$ being the width of the vectors.
# If the entries of $q$ and $k$ are independent, with mean 0 and variance 1, then each
# term has variance 1, the sum has variance $E$, and a typical score is as large as
# $\sqrt{E}$. Wide vectors then bring every softmax near to a choice, which passes
# hardly any gradient. Division by $\sqrt{E}$ makes the typical score 1, whatever the
# width.

# %% mystnb={"image": {"alt": "The largest weight over the width: it nears 1, but not with the scale."}}
widths = [1, 4, 16, 64, 256, 1024]
n_keys = 64
largest = {"not scaled": [], "divided by √E": []}

print("width E   typical score   √E")
for width in widths:
    q, k = normal(1000, width), normal(n_keys, width)
    scores = q @ k.T
    print(f"{width:7d} {scores.std().item():15.1f} {width**0.5:4.0f}")
    largest["not scaled"].append(mg.softmax(scores).amax(-1).mean())
    largest["divided by √E"].append(mg.softmax(scores / width**0.5).amax(-1).mean())

figure, axes = plt.subplots(figsize=(4.8, 3.0), layout="constrained")
for name, values in largest.items():
    axes.semilogx(widths, values, "o-", base=2, label=name)
axes.set(xlabel="width E", ylabel=f"largest of {n_keys} weights, mean", ylim=(0, 1))
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# **Back to the step before:** one vector in all three parts, and scale 1.

# %%
check_same(mg.scaled_attention(v, v, v, scale=1), mg.self_attention(v))

# %% [markdown]
# The library's functions return the new vectors, not the weights. To see the weights,
# hand in the identity matrix as values: position $t$ then takes home
# $\sum_s a_{ts} e_s$, which is row $t$ of the weights itself.

# %%
check_same(mg.scaled_attention(v, v, torch.eye(3), scale=1), mg.attention_weights(v))

# %% [markdown]
# ### Causal mask
#
# A language model predicts the next word. While it learns, the right answer is in the
# next position, and attention as written would simply look it up. So no position may look
# ahead:
#
# $$
# a_{ts} = \frac{m_{ts} \exp(q_t \cdot k_s / \sqrt{E})}
#               {\sum_{r=1}^{S} m_{tr} \exp(q_t \cdot k_r / \sqrt{E})},
# \qquad m_{ts} = \begin{cases} 1 & s \le t \\ 0 & s > t \end{cases}
# $$
#
# In code the mask is boolean – `True` means *may attend* – and a score that is not
# allowed becomes $-\infty$, since $\exp(-\infty) = 0$.

# %% mystnb={"image": {"alt": "Weights without the mask, and the triangle that it leaves."}}
x = normal(6, 8)
identity = torch.eye(6)
everyone = mg.scaled_attention(x, x, identity)
causal = mg.causal_attention(x, x, identity)

figure, both = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
heat_map(both[0], everyone, "everyone sees everyone")
heat_map(both[1], causal, "nobody sees the future")

# %% [markdown]
# The first position sees only itself, so its weight is 1 and its vector stays as it
# was. The property that matters: a change in a later position changes nothing before it –
# not a single bit.

# %%
other_ending = x.clone()
other_ending[-1] = 100.0
before = mg.causal_attention(x, x, x)
after = mg.causal_attention(other_ending, other_ending, other_ending)

assert torch.equal(before[:-1], after[:-1])
assert not torch.equal(before[-1], after[-1])

# %% [markdown]
# **Back to the step before:** a mask that is `True` everywhere.

# %%
all_true = torch.ones(6, 6, dtype=torch.bool)
check_same(mg.masked_attention(x, x, x, all_true), mg.scaled_attention(x, x, x))

# %% [markdown]
# **Try it yourself.** Which mask makes attention do nothing at all, so that every
# vector comes out as it went in?
#
# <details>
# <summary>Answer</summary>
#
# The one in which each position sees itself alone. Its softmax has one term, so its
# weight is 1 whatever the score:
#
# ```python
# only_itself = torch.eye(6, dtype=torch.bool)
# check_same(mg.masked_attention(x, x, x, only_itself), x)
# ```
#
# </details>

# %% [markdown]
# **Exercise: `causal_mask`.** A model that writes text keeps the keys of all $S$
# positions, but its queries are the last $T$ of them. Write the mask for this case:
# `True` where query $t$ may attend to key $s$, both counted from 0.
#
# $$
# m_{ts} = \mathbb{1}[s \le t + S - T]
# $$


# %%
def causal_mask(n_queries, n_keys):
    """Two integers, T ≤ S → (T, S) of dtype bool."""
    # Your code.


reply = mg.check.causal_mask(causal_mask)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# At which position of the text is the first query, and at which the last?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $s \le t + S - T$ the right side is the position of query $t$ in the text. If $T =
# S$, it is $t$ itself.
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
# **Exercise: `scaled_attention`.** Now with scale and mask. The mask leaves every query
# at least one key. `q`, `k` and `v` may have more axes in front, such as a batch; the
# formula holds for each of their entries.
#
# $$
# z_{ts} = \frac{q_t \cdot k_s}{\sqrt{E}}, \qquad
# a_{ts} = \frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})}, \qquad
# o_t = \sum_{s=1}^{S} a_{ts} v_s
# $$


# %%
def scaled_attention(q, k, v, mask):
    """q (..., T, E), k (..., S, E), v (..., S, F), mask (T, S) bool → (..., T, F)."""
    # Your code.


reply = mg.check.scaled_attention(scaled_attention)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Does a key that may not be seen still count in the sum that the row is divided by?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})}$ the mask occurs
# above and below the line. Which score has an exponential of 0?
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
# ### Projections
#
# Look again at the heat map of everyone. It is dark along the diagonal: a long vector
# has its largest score with itself, so a position mostly attends to itself. And the
# scores are symmetric, $v_i \cdot v_j = v_j \cdot v_i$: a verb could not look for its
# subject without the subject looking for the verb just as strongly. Three learned
# matrices make the three parts independent:
#
# $$
# q_t = x_t W^Q, \qquad k_s = x_s W^K, \qquad v_s = x_s W^V
# $$
#
# What a position asks for, what it answers to, and what it hands over are now three
# different things.

# %% mystnb={"image": {"alt": "Scores: symmetric with a dark diagonal before, neither after."}}
w_q, w_k, w_v = (normal(8, 8) / 8**0.5 for _ in range(3))
scores_before = x @ x.T / 8**0.5
scores_after = (x @ w_q) @ (x @ w_k).T / 8**0.5

figure, both = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
titles = ("as written", "projected")
for axes, scores, title in zip(
    both, (scores_before, scores_after), titles, strict=True
):
    image = axes.imshow(scores, cmap="RdBu", vmin=-4, vmax=4)
    axes.set_xticks(range(6), range(1, 7))
    axes.set_yticks(range(6), range(1, 7))
    axes.set(title=title, xlabel="key", ylabel="query")
figure.colorbar(image, ax=both, label="score")

assert torch.allclose(scores_before, scores_before.T)
assert not torch.allclose(scores_after, scores_after.T)

# %% [markdown]
# **Back to the step before:** identity matrices.

# %%
identity = torch.eye(8)
unprojected = mg.projected_attention(x, identity, identity, identity)
check_same(unprojected, mg.causal_attention(x, x, x))

# %% [markdown]
# ### Several heads
#
# One softmax makes one choice: weight that a position gives to its subject is missing for
# its adjective. So let $H$ attentions work side by side, each on $E = D/H$ coordinates
# of its own, and let a last matrix mix what they bring:
#
# $$
# y_t = \sum_{h=1}^{H} o_{ht} W^O_h,
# \qquad o_{ht} = \text{what head } h \text{ brings to position } t
# $$
#
# The products cost the same as with one head, since each head is narrower; but there are
# now $H$ tables of weights instead of one. The formula as a sum shows what happens better
# than "concatenate and project", and is equal to it; the cell computes it like this, head
# by head, and compares.

# %%
n_heads, width = 4, 2
w_o = normal(8, 8) / 8**0.5
y = mg.multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads)

heads = [slice(h * width, (h + 1) * width) for h in range(n_heads)]
by_heads = sum(
    mg.projected_attention(x, w_q[:, head], w_k[:, head], w_v[:, head]) @ w_o[head, :]
    for head in heads  # head is a slice: the columns, or rows, that belong to it
)
check_same(y, by_heads)

# %% mystnb={"image": {"alt": "Four heat maps: each head attends to other positions."}}
figure, four = plt.subplots(2, 2, figsize=(6, 6), layout="constrained")
for number, (axes, head) in enumerate(zip(four.flat, heads, strict=True), start=1):
    weights = mg.causal_attention(x @ w_q[:, head], x @ w_k[:, head], torch.eye(6))
    heat_map(axes, weights, f"head {number}", numbers=False)

# %% [markdown]
# **Back to the step before:** one head, and the identity as $W^O$.

# %%
one_head = mg.multi_head_attention(x, w_q, w_k, w_v, identity, n_heads=1)
check_same(one_head, mg.projected_attention(x, w_q, w_k, w_v))

# %% [markdown]
# **Exercise: `multi_head_attention`.** Write several heads without a mask, for a batch
# of sequences. Head $h$ has $E$ neighbouring columns of $W^Q$, $W^K$ and $W^V$ and the
# same rows of $W^O$, as above.
#
# $$
# y_t = \sum_{h=1}^{H} o_{ht} W^O_h, \qquad o_{ht} = \sum_{s=1}^{T} a_{hts} x_s W^V_h, \qquad
# a_{hts} = \frac{\exp(z_{hts})}{\sum_{r=1}^{T} \exp(z_{htr})}, \qquad
# z_{hts} = \frac{(x_t W^Q_h) \cdot (x_s W^K_h)}{\sqrt{E}}
# $$


# %%
def multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads):
    """x (B, T, D), w_q, w_k, w_v, w_o (D, D), n_heads → (B, T, D)."""
    # Your code.


reply = mg.check.multi_head_attention(multi_head_attention)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which numbers of a row of $x W^Q$ belong to the first head: the first $E$, or every
# $H$-th?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\sum_{h=1}^{H} o_{ht} W^O_h$ each head meets its own rows of $W^O$. How wide is a
# head, and which width is under the root?
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
# ### Shared keys and values
#
# A model that writes text keeps the keys and values of all it has written, so as not to
# compute them again: $2 G E$ numbers for each position and layer, if there are $G$
# key/value heads. For long texts that is what fills the memory. *Grouped-query
# attention* has $H$ query heads share $G < H$ heads of keys and values. Counting heads
# from 0, query head $h$ reads key/value head
#
# $$
# g(h) = \lfloor h G / H \rfloor
# $$

# %%
for n_kv_heads in (4, 2, 1):
    readers = [h * n_kv_heads // n_heads for h in range(n_heads)]
    kept = 2 * n_kv_heads * width
    print(f"G = {n_kv_heads}: heads 0 1 2 3 read {readers}; {kept:2d} numbers kept")

# %% [markdown]
# Sharing is the same as copying: ordinary heads with the columns of the shared ones
# repeated give the same result.

# %%
w_k2, w_v2 = w_k[:, :4], w_v[:, :4]  # two heads, two columns each
copied = [heads[0], heads[0], heads[1], heads[1]]
copied_k = torch.cat([w_k2[:, head] for head in copied], dim=1)
copied_v = torch.cat([w_v2[:, head] for head in copied], dim=1)

shared = mg.grouped_query_attention(x, w_q, w_k2, w_v2, w_o, (4, 2))
check_same(shared, mg.multi_head_attention(x, w_q, copied_k, copied_v, w_o, n_heads=4))

# %% [markdown]
# **Back to the step before:** as many key/value heads as query heads.

# %%
check_same(mg.grouped_query_attention(x, w_q, w_k, w_v, w_o, (4, 4)), y)

# %% [markdown]
# ### Sliding window
#
# Every position looks at its whole past: twice as long a text, four times as many
# weights. With a window $w$, position $t$ sees only itself and the $w - 1$ positions
# before it, and the work grows in step with the text:
#
# $$
# m_{ts} = \begin{cases} 1 & t - w < s \le t \\ 0 & \text{otherwise} \end{cases}
# $$
#
# What is further back is not lost: in the next layer, the oldest position in the window
# passes on what it saw.

# %% mystnb={"image": {"alt": "Two masks: the lower triangle, and a band three wide."}}
figure, both = plt.subplots(1, 2, figsize=(6.5, 3.4), layout="constrained")
heat_map(both[0], mg.causal_mask(12), "the whole past", numbers=False)
heat_map(both[1], mg.causal_mask(12, window=3), "window=3", numbers=False)

for n in (100, 200, 400):
    whole, window = mg.causal_mask(n).sum(), mg.causal_mask(n, window=16).sum()
    print(f"{n} positions: {whole:5d} weights, {window:4d} with window=16")

# %% [markdown]
# **Back to the step before:** a window as long as the text.

# %%
check_same(mg.causal_attention(x, x, x, window=6), mg.causal_attention(x, x, x))

# %% [markdown]
# **Try it yourself.** Stack two layers with `window=3`. How many positions can reach
# the output at position 12? Predict the number, then find it by changing one input at a
# time.
#
# <details>
# <summary>Answer</summary>
#
# Five: two steps back in each layer, and the position itself. With $l$ layers it is
# $l(w - 1) + 1$.
#
# ```python
# def two_layers(x):
#     x = mg.causal_attention(x, x, x, window=3)
#     return mg.causal_attention(x, x, x, window=3)
#
#
# x = normal(12, 8)
# for s in range(12):
#     changed = x.clone()
#     changed[s] += 1
#     reached = not torch.equal(two_layers(changed)[-1], two_layers(x)[-1])
#     print(f"position {s + 1:2d}:", "reaches 12" if reached else "does not")
# ```
#
# </details>
#
# ## What you have now
#
# | step | new | gives back the step before |
# | --- | --- | --- |
# | `self_attention` | the two equations | |
# | `scaled_attention` | queries, keys and values apart; $1/\sqrt{E}$ | $q = k = v$, `scale=1` |
# | `causal_attention` | nobody sees the future | a mask that is `True` everywhere |
# | `projected_attention` | $W^Q, W^K, W^V$ | identity matrices |
# | `multi_head_attention` | $H$ heads and $W^O$ | one head, $W^O$ the identity |
# | `grouped_query_attention` | $G$ key/value heads for $H$ query heads | $G = H$ |
# | `causal_attention(…, window=w)` | only the last $w$ positions | $w \ge S$ |
#
# This is the attention of today's large models, except for one thing that the reversed
# vectors brought up: it still does not know the *order* of the words. The causal mask
# gives it a hint; positions (`minigpt/model/positions/`) encode it explicitly. The code
# of every step is in `minigpt/model/attention.py` and, from the projections on, in
# `minigpt/model/heads.py`: two files to read from top to bottom.
