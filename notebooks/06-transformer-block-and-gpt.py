# %% [markdown]
# # The Transformer block and GPT
#
# A GPT turns token numbers into scores for the next token. In between are a handful of
# parts, repeated. Here you
#
# - follow six words through a GPT small enough to print, and see the shape of the numbers
#   after every part;
# - compute each part from its equation with plain tensor code, and put the parts together
#   into the same logits, number for number;
# - test what the causal mask promises, to the last bit;
# - measure what the residual sums do, and why the norm moved from behind the sum to
#   before it;
# - count parameters and arithmetic by hand, up to those of GPT-2;
# - see five ways to tell a model the position of a word.
#
# About 40 minutes. You need to know what attention does ([Self-attention, exactly as
# written](05-self-attention-as-written.ipynb)) and what a matrix product is.

# %%
import math
import os
from itertools import permutations

import matplotlib.pyplot as plt
import torch

import minigpt as mg
from minigpt.cost.flops import matrix_parameters
from minigpt.model import gelu, gelu_tanh, relu_squared, rotary_angles, silu
from minigpt.model.positions import alibi_slopes, rotate_half

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # models this small gain nothing from several
torch.set_printoptions(precision=3, sci_mode=False)
QUICK = bool(os.environ.get("MINIGPT_QUICK"))
plt.rcParams["figure.dpi"] = 40 if QUICK else 110


def check_same(a, b):
    torch.testing.assert_close(a, b)
    print("the same numbers")


# %% [markdown]
# ## A language of twelve sentences
#
# Nine words, twelve sentences: somebody gives a kite or a ball to somebody *else*.

# %%
words = ["Anna", "Ben", "Carol", "gave", "the", "kite", "ball", "to", "."]
sentences = [
    f"{giver} gave the {thing} to {taker} ."
    for giver, taker in permutations(words[:3], 2)
    for thing in ("kite", "ball")
]
print(f"{len(sentences)} sentences, such as: {sentences[0]}")


def encode(sentence):
    return [words.index(word) for word in sentence.split()]


all_ids = torch.tensor([encode(sentence) for sentence in sentences])

# %% [markdown]
# Two things in such a sentence can't be known beforehand: which of two things is given,
# and which of two people gets it. All else follows, so on average over the twelve sentences
# no model can have a lower loss than $2 \log 2$ a sentence, shared by six predictions. But
# one word is harder: after *to* comes anybody but the giver, whose name is four words back.
#
# The model gets sizes that all differ, so that every number in a shape shows what it
# counts.

# %%
config = mg.GPTConfig(
    vocab_size=9,  # V: words to choose from
    context_length=7,  # the longest sentence
    d_model=8,  # D: numbers that represent a word
    n_heads=2,  # H: heads, each E = D/H = 4 wide
    n_layers=3,  # L: blocks
    d_hidden=32,  # F: hidden width of the MLP
    init_std=0.3,  # large, since the model is so narrow
    attention="formula",  # attention as its equation is written
)
model = mg.GPT(config, generator=torch.Generator().manual_seed(1))

inputs, targets = all_ids[:, :-1], all_ids[:, 1:]
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(30 if QUICK else 800):
    loss = mg.next_token_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

floor = 2 * math.log(2) / 6
print(f"loss {loss.item():.3f}, the least possible {floor:.3f} nats per word")
assert QUICK or loss < floor + 0.003

# %% [markdown]
# How this loop works is the subject of [the next
# lesson](07-autoregressive-training.ipynb). Here we want to know what the trained model
# *computes*. Here is what it says after each word of one sentence:

# %% mystnb={"image": {"alt": "Table of probabilities: after the, kite and ball share; after to, Ben and Carol."}}
seen = ["Anna", "gave", "the", "kite", "to", "Ben"]
ids = torch.tensor([encode(" ".join(seen))])
logits = model(ids).detach()


def word_map(axes, values, rows, columns, **colours):
    axes.imshow(values, **{"cmap": "Blues", "vmin": 0, "vmax": 1, **colours})
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha="right")
    axes.set_yticks(range(len(rows)), rows)


figure, axes = plt.subplots(figsize=(4.6, 3.4), layout="constrained")
probabilities = mg.softmax(logits[0])
word_map(axes, probabilities, seen, words)
for t, i in (probabilities > 0.05).nonzero().tolist():
    p = probabilities[t, i].item()
    colour = "white" if p > 0.6 else "black"
    axes.text(i, t, f"{p:.2f}", ha="center", va="center", color=colour, fontsize=9)
axes.set(xlabel="probability of the next word", ylabel="after …")
plt.show()

# %% [markdown]
# After *to*, Ben and Carol share the probability and Anna gets nothing: the model knows
# what it could only know by looking back. The rest of this lesson explains **how six word
# numbers become this table.**
#
# ## The shape of everything
#
# A *forward hook* is a function that PyTorch calls after a part of the model has run. We
# register one for every part and record what comes out.

# %%
captured = {}


def keep(name):
    def hook(module, arguments, output):
        captured[name] = output.detach()

    return hook


switched_off = (torch.nn.Identity, torch.nn.Dropout)
hooks = [
    part.register_forward_hook(keep(name))
    for name, part in model.named_modules()
    if name and not isinstance(part, switched_off)
]
model(ids)
for hook in hooks:
    hook.remove()

letters = {1: "B", 6: "T", 8: "D", 24: "(H+2G)E", 32: "F", 9: "V"}
for name, output in captured.items():
    if name.startswith(("blocks.1", "blocks.2.")):
        continue  # inside, they are as block 0
    shape = "(" + ", ".join(letters[size] for size in output.shape) + ")"
    print(f"{name:30} {tuple(output.shape)!s:12} {shape}")

# %% [markdown]
# One width runs through from end to end: $(B, T, D)$, a vector of $D$ numbers for every
# word, called the **residual stream**. Each block reads from the stream and adds to it,
# twice: **attention** carries information from word to word, the **MLP** works on each
# word by itself. In the picture the stream is the grey arrow.


# %% mystnb={"image": {"alt": "A block: two branches leave the stream and are added back to it."}}
def draw_block(axes, title, steps):
    """Steps from bottom to top: (label, where it stands, colour)."""
    axes.annotate(
        "",
        (0, 8.6),
        (0, -0.8),
        arrowprops={"arrowstyle": "-|>", "lw": 3, "color": "tab:gray"},
    )
    for label, x, y, colour in steps:
        box = {
            "boxstyle": "round,pad=0.35",
            "facecolor": colour,
            "edgecolor": "none",
            "alpha": 0.9,
        }
        axes.text(
            x, y, label, ha="center", va="center", color="white", fontsize=10, bbox=box
        )
    axes.set(xlim=(-1.2, 3.4), ylim=(-1.6, 9.4))
    axes.set_title(title, fontsize=11)
    axes.text(0, -1.3, "x", ha="center", fontsize=11)
    axes.text(0, 8.8, "y", ha="center", fontsize=11)
    axes.axis("off")


def draw_branch(axes, low, high):
    """Off the stream at one height, up at its side, and back at another."""
    axes.plot(
        [0, 2, 2, 0.3], [low, low, high, high], color="tab:gray", lw=1.5, zorder=0
    )
    axes.annotate(
        "",
        (0.25, high),
        (0.6, high),
        arrowprops={"arrowstyle": "-|>", "color": "tab:gray"},
    )


PRE = [
    ("norm", 2, 0.8, "tab:purple"),
    ("attention", 2, 2.0, "tab:blue"),
    ("+", 0, 3.2, "tab:green"),
    ("norm", 2, 4.8, "tab:purple"),
    ("MLP", 2, 6.0, "tab:orange"),
    ("+", 0, 7.2, "tab:green"),
]
figure, axes = plt.subplots(figsize=(3.4, 4.4), layout="constrained")
draw_branch(axes, 0.0, 3.2)
draw_branch(axes, 4.0, 7.2)
draw_block(axes, "one block", PRE)

# %% [markdown]
# ## From the bottom to the top, by hand
#
# The whole model, as its equation has it. $U$ holds one row of $D$ numbers for each word;
# $B$ stands for the blocks and $N$ for the last norm:

# %%
mg.GPT.equation

# %% [markdown]
# And here are the numbers that training has found: the **state dict**, from names to
# tensors. From now on we use nothing of the model but these.

# %%
w = model.state_dict()
for name, tensor in w.items():
    if not name.startswith(("blocks.1", "blocks.2")):
        print(f"{name:38} {tuple(tensor.shape)}")

# %% [markdown]
# ### Words and places
#
# A word number is looked up, which is no arithmetic at all: row $x_t$ of the table $U$.
# To it is added row $t$ of the table of positions. So the same word at another place
# enters as another vector.

# %%
x = w["token_embedding.weight"][ids[0]] + w["position.embedding.weight"][:6]

word_at_place_1 = (
    w["token_embedding.weight"][words.index("Ben")] + w["position.embedding.weight"][0]
)
print("Ben, first in a sentence: ", word_at_place_1)
print("Ben, sixth in this one:   ", x[5])

# %% [markdown]
# ### Norm
#
# Before a branch reads the stream, it brings every word's vector to mean 0 and variance
# 1, then gives each coordinate a learned gain and shift:

# %%
mg.layer_norm.equation


# %%
def norm(x, name):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    standard = (x - mean) / (variance + config.norm_eps).sqrt()
    return w[f"{name}.gain"] * standard + w[f"{name}.shift"]


normed = norm(x, "blocks.0.norm_1")
check_same(normed, captured["blocks.0.norm_1"][0])

# %% [markdown]
# The mean runs over the $D$ numbers of *one* word. No word learns anything about another
# here, and none about other sentences in the batch.
#
# **Exercise: `layer_norm`.** Write the norm as a function of its own. `x` may have any
# number of axes; the last one holds the $D$ numbers of a word.
#
# $$
# y_i = g_i \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i, \qquad
# \mu = \frac{1}{D} \sum_{j=1}^{D} x_j, \qquad
# \sigma^2 = \frac{1}{D} \sum_{j=1}^{D} (x_j - \mu)^2
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def layer_norm(x, gain, bias, eps):
    """x (..., D), gain (D,), bias (D,), eps → the shape of x."""
    # Your code.


reply = mg.check.layer_norm(layer_norm)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Over which axis are mean and variance taken, and what are their shapes?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}}$ the $\epsilon$ is under the root.
# And $\sigma^2$ is a mean over $D$ numbers; does `var` divide by $D$, too?
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
# ### Attention
#
# The heart of the block, and the subject of lesson 5. Several heads, each in coordinates
# of its own:

# %%
mg.multi_head_attention.equation

# %% [markdown]
# The library keeps $W^Q, W^K, W^V$ side by side in one matrix, `project_qkv`: one product
# instead of three. PyTorch stores a matrix of a linear map as (to, from), so we
# transpose. There are also biases $b$, which the equation leaves out.


# %%
def attention(x, name, keep_weights=None):
    qkv = x @ w[f"{name}.project_qkv.weight"].T + w[f"{name}.project_qkv.bias"]
    q, k, v = qkv.split(8, dim=-1)  # (T, D) each
    may_attend = torch.ones(len(x), len(x), dtype=torch.bool).tril()
    outputs = []
    for columns in (slice(0, 4), slice(4, 8)):  # head 1, head 2
        scores = q[:, columns] @ k[:, columns].T / math.sqrt(4)
        exponentials = torch.where(may_attend, scores.exp(), 0)
        weights = exponentials / exponentials.sum(-1, keepdim=True)
        outputs.append(weights @ v[:, columns])
        if keep_weights is not None:
            keep_weights.append(weights)
    return (
        torch.cat(outputs, dim=-1) @ w[f"{name}.project_out.weight"].T
        + w[f"{name}.project_out.bias"]
    )


check_same(attention(normed, "blocks.0.attention"), captured["blocks.0.attention"][0])

# %% [markdown]
# ### Residual sum
#
# The output of attention is *added* to the stream. That is all, and it is what lets deep
# models learn: a branch that has nothing to say adds 0 and does no harm, and a gradient
# flows back through a sum unchanged. (Once the block is complete, we measure this.)

# %%
h = x + attention(normed, "blocks.0.attention")

# %% [markdown]
# ### MLP
#
# Each word by itself: expand fourfold, apply a nonlinearity, project back.

# %%
mg.equations.get("mlp")

# %% [markdown]
# The nonlinearity is $\phi$; without it two matrices would be no more than one. GPT-2 has
# an approximation of GELU, `gelu-tanh`; other models have other functions. All pass large
# values and suppress negative ones.
#
# Why fourfold? It is a convention of the first Transformer (512 to 2,048) that later models
# have kept. The loss depends little on it: at the same number of parameters, models between
# twofold and eightfold end close together (Kaplan et al. 2020, arXiv:2001.08361, figure 5).
# It makes the MLP $8 D^2$ numbers a block beside the $4 D^2$ of attention, so two thirds of
# the parameters of all blocks are in the MLPs.

# %% mystnb={"image": {"alt": "Four activations: near 0 for negative inputs, rising for positive ones."}}
line = torch.linspace(-3, 2, 200)
figure, axes = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
for name, f in {
    "gelu": gelu,
    "gelu-tanh (GPT-2)": gelu_tanh,
    "silu": silu,
    "relu²": relu_squared,
}.items():
    axes.plot(line, f(line), "--" if "tanh" in name else "-", label=name, lw=2)
axes.set(xlabel="in", ylabel="out", ylim=(-0.5, 2.5))
axes.legend(frameon=False)
plt.show()


# %%
def mlp(x, name):
    hidden = x @ w[f"{name}.expand.weight"].T + w[f"{name}.expand.bias"]  # (T, F)
    return (
        gelu_tanh(hidden) @ w[f"{name}.contract.weight"].T + w[f"{name}.contract.bias"]
    )


check_same(mlp(norm(h, "blocks.0.norm_2"), "blocks.0.mlp"), captured["blocks.0.mlp"][0])

# %% [markdown]
# ### The block
#
# Both branches together. $A$ is attention, $F$ the MLP, $N$ and $M$ the two norms:

# %%
mg.equations.get("pre-norm-block")


# %%
def block(x, name, keep_weights=None):
    h = x + attention(norm(x, f"{name}.norm_1"), f"{name}.attention", keep_weights)
    return h + mlp(norm(h, f"{name}.norm_2"), f"{name}.mlp")


check_same(block(x, "blocks.0"), captured["blocks.0"][0])

# %% [markdown]
# **Exercise: `pre_norm_block`.** Wire a block from its four parts. They are functions,
# and $N_1$ and $N_2$ are the two norms.
#
# $$
# h = x + A(N_1(x)), \qquad y = h + F(N_2(h))
# $$


# %%
def pre_norm_block(x, norm_1, attention, norm_2, mlp):
    """x (T, D), and four functions (T, D) → (T, D); the result is (T, D)."""
    # Your code.


reply = mg.check.pre_norm_block(pre_norm_block)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# What does each branch read, and what is its output added to?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# $y = h + F(N_2(h))$ has $h$ twice and no $x$. What is in $h$ that is not in $x$?
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
# ### What the sums are for, measured
#
# Take twelve such blocks with new weights, once as they are and once *without* the two
# sums, so that each branch replaces the stream. First the size of the gradient that
# reaches each block; then sixty steps of training for both.


# %%
DEEP = {
    "vocab_size": 9,
    "context_length": 7,
    "d_model": 32,
    "n_heads": 4,
    "n_layers": 12,
}


def loss_of(deep, sums):
    x = deep.position.add_to(deep.token_embedding(inputs))
    for part in deep.blocks:
        for before, branch in ((part.norm_1, part.attention), (part.norm_2, part.mlp)):
            x = x + branch(before(x)) if sums else branch(before(x))
    return mg.next_token_loss(deep.norm(x) @ deep.token_embedding.weight.T, targets)


ends = {}
for sums in (True, False):
    deep = mg.GPT(
        mg.GPTConfig(**DEEP), generator=torch.Generator().manual_seed(0)
    ).float()
    loss_of(deep, sums).backward()
    sizes = [deep.blocks[b].mlp.expand.weight.grad.norm().item() for b in (0, 5, 11)]
    optimizer = torch.optim.Adam(deep.parameters(), lr=1e-3)
    for _ in range(2 if QUICK else 60):
        optimizer.zero_grad()
        loss = loss_of(deep, sums)
        loss.backward()
        optimizer.step()
    ends[sums] = loss.item()
    print("with the sums" if sums else "without the sums")
    print("  gradient in blocks 1, 6, 12:", *(f"{size:.0e}" for size in sizes))
    print(f"  loss after training: {loss.item():.2f}")

share = torch.bincount(targets.flatten()).double() / targets.numel()
counting = -torch.xlogy(share, share).sum().item()
print(f"a model that only knows how often each word occurs: {counting:.2f}")
assert QUICK or (ends[True] < 1.2 and ends[False] > counting - 0.01)

# %% [markdown]
# With the sums, the gradient has about the same size in every block. Without them it is
# more than a hundred times smaller, and the model learns only how often each word occurs:
# everything about the words and their positions has to pass through every branch, and
# new branches pass on almost nothing.
#
# **How to start.** The weights of a new model are random numbers of standard deviation
# 0.02, as in GPT-2. They must differ, or all coordinates would learn the same; and they
# must be small, or the untrained model would be sure of nonsense. Here is the first loss
# of the twelve blocks for three deviations:

# %%
for deviation in (0.02, 0.2, 2.0):
    start = mg.GPTConfig(**DEEP, initialisation="plain", init_std=deviation)
    deep = mg.GPT(start, generator=torch.Generator().manual_seed(0)).float()
    print(f"init_std {deviation}: first loss {loss_of(deep, sums=True).item():6.2f}")
print(f"guessing: {math.log(9):.2f}")

# %% [markdown]
# The stream is a sum of $2L$ branches, so GPT-2 also divides the deviation of the matrices
# that write to it by $\sqrt{2L}$; otherwise its size would grow with the depth.
#
# **Dropout** is the last part that you will see in configurations. While training, it sets
# each number that a branch brings to 0 with a probability such as 0.1, and enlarges the
# others to keep the mean, so that the model can't rely on single numbers. GPT-2 used 0.1;
# models that read every text about once mostly do without, and in the library the default
# is 0.
#
# ### The head
#
# After the last block and a last norm, every word of the vocabulary is scored by a dot
# product with *its own row of the same table* $U$: the more a vector points towards a
# word, the more probable the word. (A head that shares the table is called *tied*.)


# %%
def gpt(ids, keep_weights=None):
    x = w["token_embedding.weight"][ids] + w["position.embedding.weight"][: len(ids)]
    for name in ("blocks.0", "blocks.1", "blocks.2"):
        x = block(x, name, keep_weights)
    return norm(x, "norm") @ w["token_embedding.weight"].T


all_weights = []
check_same(gpt(ids[0], all_weights), logits[0])

# %% [markdown]
# **That is a GPT**: five short functions, and the names of its numbers. Larger GPTs differ
# only in how many numbers there are.
#
# The equation gives the same. It is evaluated from its LaTeX, one row and one word at a
# time, with the blocks as they are:


# %%
def as_function(part):
    return lambda rows: part(torch.as_tensor(rows)[None]).detach()[0].numpy()


literal = mg.GPT.equation.evaluate(
    x=ids[0] + 1,  # formulas count from 1
    U=w["token_embedding.weight"],
    P=w["position.embedding.weight"][:6],
    B=as_function(torch.nn.Sequential(*model.blocks)),
    N=as_function(model.norm),
)
check_same(torch.from_numpy(literal), logits[0])

# %% [markdown]
# ### Who looked at whom
#
# On the way we kept the attention weights of all heads. To leave out the giver, the row
# *to* has to learn who gives, and every path from *Anna* to *to*, direct or through
# another word, is an attention weight. Find the heads that take the direct one.

# %% mystnb={"image": {"alt": "Six maps of attention weights, three blocks by two heads, each a lower triangle."}}
figure, grid = plt.subplots(
    3, 2, figsize=(4.8, 6.6), layout="constrained", sharex=True, sharey=True
)
for number, (axes, weights) in enumerate(zip(grid.flat, all_weights, strict=True)):
    word_map(axes, weights, seen, seen)
    axes.set_title(f"block {number // 2 + 1}, head {number % 2 + 1}", fontsize=10)
figure.supxlabel("attended word", fontsize=10)
figure.supylabel("word that looks", fontsize=10)
plt.show()

largest = max(range(6), key=lambda n: all_weights[n][4, 0].item())
print(
    f"to looks at Anna most in block {largest // 2 + 1}, head {largest % 2 + 1}: "
    f"weight {all_weights[largest][4, 0]:.2f}"
)

# %% [markdown]
# **Try it yourself.** 1. Which functions above would you have to change if the sentence
# had 100 words? If the model had 12 blocks? 2. Leave out the MLPs (`mlp` returns 0), then
# the attention. What does the table of probabilities look like?
#
# <details>
# <summary>Answers</summary>
#
# 1. None for the length, but the table of learned positions ends at `context_length`; the
#    list of names in `gpt` for the blocks. The numbers of a block do not depend on how
#    many words it sees.
# 2. Without attention no word has information about another: after *to* the model can't
#    know who gave. The trained numbers expect both parts, so other rows change as well.
#
# ```python
# def attention_off(x, name, keep_weights=None):
#     return torch.zeros_like(x)
#
#
# attention_on, attention = attention, attention_off
# without = mg.softmax(gpt(ids[0]))
# attention = attention_on
# print("after to, without attention:", dict(zip(words, without[4].tolist())))
# other = mg.softmax(gpt(torch.tensor(encode("Carol gave the ball to"))))
# assert not torch.allclose(other[4, 0], other[4, 2])  # with it, the giver matters
# ```
#
# </details>
#
# ## What the causal mask promises
#
# No position sees the future. So a change at position $t + 1$ must leave the logits at
# positions up to $t$ as they were: not nearly, but **to the last bit**. We change each
# word in turn and see which rows of logits change.

# %% mystnb={"image": {"alt": "A lower triangle: a changed word moves its own logits and the later ones only."}}
moves = torch.zeros(6, 6)
for s in range(6):
    changed = ids.clone()
    changed[0, s] = (ids[0, s] + 1) % 9  # another word
    with torch.no_grad():
        moves[:, s] = (model(changed)[0] != logits[0]).any(-1)

assert torch.equal(moves, torch.ones(6, 6).tril())
figure, axes = plt.subplots(figsize=(3.8, 3.4), layout="constrained")
word_map(axes, moves, seen, seen)
axes.set(xlabel="changed word", ylabel="logits that move")
plt.show()

# %% [markdown]
# This has two consequences.
#
# - **Training in parallel.** A sentence of $T$ words is $T$ exercises, and one pass does
#   all of them: no row can copy its answer from the next position.
# - **Writing step by step.** What has been computed for the past stays right when a word
#   is added. Generation may keep keys and values instead of computing them again.
#
# A longer input gives the earlier rows the same values too, if only to rounding: a matrix
# product of another size may add up its terms in another order.

# %%
with torch.no_grad():
    check_same(model(ids[:, :4]), logits[:, :4])

# %% [markdown]
# ## Where the norm stands
#
# The first Transformer (2017) put the norm *after* the sum, on the stream itself:

# %%
mg.equations.get("post-norm-block")

# %% mystnb={"image": {"alt": "Pre-norm has its norms in the branches, post-norm on the stream itself."}}
POST = [
    ("attention", 2, 1.2, "tab:blue"),
    ("+", 0, 2.4, "tab:green"),
    ("norm", 0, 3.5, "tab:purple"),
    ("MLP", 2, 5.2, "tab:orange"),
    ("+", 0, 6.4, "tab:green"),
    ("norm", 0, 7.5, "tab:purple"),
]
figure, both = plt.subplots(1, 2, figsize=(6.4, 4.4), layout="constrained")
draw_branch(both[0], 0.0, 3.2)
draw_branch(both[0], 4.0, 7.2)
draw_block(both[0], "pre-norm (GPT-2, 2019)", PRE)
draw_branch(both[1], 0.0, 2.4)
draw_branch(both[1], 4.2, 6.4)
draw_block(both[1], "post-norm (2017)", POST)

# %% [markdown]
# With pre-norm the grey arrow runs from end to end and passes only sums. With post-norm
# every block rescales the whole stream before it. What does that do to twelve blocks? We
# look at the size of the stream in untrained models, then train both with a high learning
# rate from the first step on, with three seeds each.


# %%
def twelve_blocks(placement, seed):
    shape = {
        "vocab_size": 9,
        "context_length": 7,
        "d_model": 32,
        "n_heads": 4,
        "n_layers": 12,
    }
    start = {"initialisation": "plain", "init_std": 0.1}
    deep = mg.GPTConfig(**shape, **start, norm_placement=placement)
    return mg.GPT(deep, generator=torch.Generator().manual_seed(seed)).float()


@torch.no_grad()
def stream_sizes(deep):
    """Root mean square of the stream after the embedding and after each block."""
    x = deep.position.add_to(deep.token_embedding(inputs))
    sizes = [x.square().mean().sqrt().item()]
    for part in deep.blocks:
        x = part(x)
        sizes.append(x.square().mean().sqrt().item())
    return sizes


def losses_of(deep, steps):
    optimizer = torch.optim.Adam(deep.parameters(), lr=0.01)
    losses = []
    for _ in range(steps):
        loss = mg.next_token_loss(deep(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# %% mystnb={"image": {"alt": "Pre-norm: the stream grows, the loss falls fast. Post-norm: neither does."}}
steps = 2 if QUICK else 80
figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 5.8), layout="constrained")
curves = {}
for placement, colour in (("pre", "tab:blue"), ("post", "tab:red")):
    above.plot(
        stream_sizes(twelve_blocks(placement, 0)),
        "o-",
        color=colour,
        label=f"{placement}-norm",
    )
    curves[placement] = [
        losses_of(twelve_blocks(placement, seed), steps) for seed in range(3)
    ]
    for number, losses in enumerate(curves[placement]):
        below.plot(
            losses,
            color=colour,
            alpha=0.8,
            label=f"{placement}-norm" if number == 0 else None,
        )
below.axhline(floor, color="black", ls=":", label="floor")
above.set(xlabel="block", ylabel="size of the stream (rms)", ylim=(0, None))
below.set(xlabel="step", ylabel="loss (nats per word)")
above.legend(frameon=False)
below.legend(frameon=False)
plt.show()

for placement, three in curves.items():
    print(
        f"{placement}-norm, loss at the end of each run:",
        [round(losses[-1], 2) for losses in three],
    )
middle = {
    placement: [losses[steps // 2] for losses in three]
    for placement, three in curves.items()
}
assert QUICK or max(middle["pre"]) < min(middle["post"])

# %% [markdown]
# The pre-norm models tolerate the rate; the post-norm models learn no more than how often
# each word occurs.
# That is why the first Transformer needed a careful *warm-up*, in which the learning rate
# rises slowly from 0 (Xiong et al. 2020, arXiv:2002.04745), and why GPT-2 and nearly all
# later models moved the norm into the branch. Pre-norm has its price: the stream grows, so
# the output of a late block has less and less influence on it.
#
# ## Counting parameters
#
# Every matrix above has a shape in letters, so the number of parameters is a sum that a
# person can do:


# %%
def count_by_hand(c):
    V, T, D, F, L = (
        c.vocab_size,
        c.context_length,
        c.d_model,
        c.hidden_width,
        c.n_layers,
    )
    embedding = V * D  # used twice, counted once
    positions = T * D
    # queries, keys, values; then the output
    attention = (D * 3 * D + 3 * D) + (D * D + D)
    mlp = (D * F + F) + (F * D + D)
    norms = (2 * L + 1) * 2 * D  # a gain and a shift: two a block, and one at the end
    parts = {
        "embedding": embedding,
        "positions": positions,
        "attention": L * attention,
        "MLP": L * mlp,
    }
    return parts | {"norms": norms}


by_hand = count_by_hand(config)
for part, n in by_hand.items():
    print(f"{part:10} {n:6,}")
print(f"{'together':10} {sum(by_hand.values()):6,}")
assert sum(by_hand.values()) == model.n_parameters

# %% [markdown]
# `minigpt.cost` counts something else, the $P$ numbers that a word is *multiplied* with:
# all matrices, the head among them, but no look-up, bias or norm. That is what the
# arithmetic depends on.

# %%
matrix_parameters.equation

# %%
D, F, L, V = config.d_model, config.hidden_width, config.n_layers, config.vocab_size
P = L * (3 * D * D + D * D + 2 * D * F) + D * V
print(f"by hand {P:,}, by the library {matrix_parameters(config):,}")
assert matrix_parameters(config) == P

# %% [markdown]
# The same function for larger models. `device="meta"` makes tensors that have a shape and
# no numbers, so that one can build GPT-2's largest without having its memory.

# %% mystnb={"image": {"alt": "Shares: the embedding leads in small models, the MLP in large ones."}}
presets = ["nano", "micro", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"]
shares = {}
for preset in presets:
    with torch.device("meta"):
        n = mg.GPT(mg.GPTConfig.preset(preset)).n_parameters
    shares[preset] = count_by_hand(mg.GPTConfig.preset(preset))
    assert sum(shares[preset].values()) == n
    print(f"{preset:12} {n:13,} parameters")
# of the weights that OpenAI published
assert sum(shares["gpt2"].values()) == 124_439_808

figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
left_edge = torch.zeros(len(presets))
for part in ("embedding", "positions", "attention", "MLP"):
    width = torch.tensor(
        [100 * shares[name][part] / sum(shares[name].values()) for name in presets]
    )
    axes.barh(presets, width, left=left_edge, label=part)
    left_edge += width
axes.invert_yaxis()
axes.set(xlabel="share of the parameters (%)", xlim=(0, 100))
axes.legend(
    ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False, fontsize=9
)
plt.show()

# %% [markdown]
# (`nano` and `micro` are shown here with GPT-2's 50,257 tokens. With a small vocabulary
# they are much smaller. The paper on GPT-2 gave the smallest model 117 million parameters
# and the next 345; its authors later corrected both, to 124 and 355. If the head had a
# table of its own instead of sharing that of the embedding, the smallest would have 163
# million.)
#
# ## Counting arithmetic
#
# To multiply a vector by a matrix of $P$ numbers takes $P$ multiplications and as many
# additions: $2P$ operations. The backward pass does two such products, one for the
# gradient of the vector and one for that of the matrix. So every trained word costs $6P$,
# and what attention does with scores and weights comes on top:

# %%
mg.training_flops_per_token.equation

# %% [markdown]
# PyTorch can count the products of matrices that it really takes. One sentence, forward
# and backward:

# %%
from torch.utils.flop_counter import FlopCounterMode

T = 6
with FlopCounterMode(display=False) as counter:
    mg.next_token_loss(model(ids), targets[:1]).backward()

matrices = 6 * P * T
# scores and weighted sums, T x T each, forward and twice backward
whole_square = 12 * L * D * T * T
triangle = 6 * L * D * (T + 1) * T
print(f"counted by PyTorch                       {counter.get_total_flops():7,}")
print(f"matrices and the whole T × T square      {matrices + whole_square:7,}")
print(f"matrices and the triangle that is needed {matrices + triangle:7,}")
assert counter.get_total_flops() == matrices + whole_square
assert mg.training_flops_per_token(config, T) * T == matrices + triangle

# %% [markdown]
# The first two are equal, to the last product. The third is the library's: attention as
# the formula is written computes all $T \times T$ scores and then forbids nearly half of
# them; a Triton kernel skips those. How much attention weighs depends on the length:

# %%
gpt2 = mg.GPTConfig.preset("gpt2")
for T in (128, 1024, 8192, 65536):
    flops = mg.training_flops_per_token(gpt2, T)
    attention_share = 1 - 6 * matrix_parameters(gpt2) / flops
    print(
        f"GPT-2, {T:6,} tokens: {flops / 1e9:5.2f} GFLOP a trained token, attention "
        f"{attention_share:4.0%}"
    )

# %% [markdown]
# **Try it yourself.** GPT-3 has 96 blocks of width 12,288, GPT-2's vocabulary and a
# context of 2,048. How many parameters does `count_by_hand` find?
#
# <details>
# <summary>Answer</summary>
#
# The 175 billion that it is known for. (Build its configuration, not the model.)
#
# ```python
# gpt3 = mg.GPTConfig(
#     vocab_size=50257, context_length=2048, d_model=12288, n_layers=96, n_heads=96
# )
# print(f"{sum(count_by_hand(gpt3).values()):,}")
# assert round(sum(count_by_hand(gpt3).values()) / 1e9) == 175
# ```
#
# </details>
#
# ## Where a word stands
#
# Attention as written does not know the order of the words. Five ways to encode it are in
# use, in two families. The first adds a vector to each word, once, at the bottom.
# **Sinusoidal** positions are a fixed table of waves, each slower than the one before:

# %%
mg.sinusoidal_positions.equation

# %% [markdown]
# **Exercise: `sinusoidal_positions`.** Write this table for $T$ positions, an even
# width $D$ and any base $b$, with columns counted from 0.
#
# $$
# P_{t,2i} = \sin\left(\frac{t}{b^{2i/D}}\right), \qquad
# P_{t,2i+1} = \cos\left(\frac{t}{b^{2i/D}}\right), \qquad 0 \le i < D/2
# $$


# %%
def sinusoidal_positions(length, d_model, base):
    """Two integers, D even, and a base → (T, D)."""
    # Your code.


reply = mg.check.sinusoidal_positions(sinusoidal_positions)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# How many different frequencies does a table of width $D$ have, and which columns share
# one?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\frac{t}{b^{2i/D}}$ the index $i$ counts pairs of columns. Which two exponents are
# there for $D = 4$?
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
# **Learned** positions are a table too, which is random at the start. The second family
# leaves the stream alone and changes the *scores*. **Rotary** positions
# (RoPE) turn each pair of coordinates of queries and keys by an angle that grows with the
# position:

# %%
mg.equations.get("rotary-half")

# %% [markdown]
# A dot product depends on the angle *between* two arrows. Turn one by $t$ steps and the
# other by $s$, and what is left is the difference $t - s$. Below: one pair of coordinates
# at eight positions, fast and slow.

# %% mystnb={"image": {"alt": "Arrows that turn: the fast pair goes once around, the slow one a little way."}}
figure, both = plt.subplots(1, 2, figsize=(5.2, 2.8), layout="constrained")
angles = rotary_angles(8, 8)  # 8 positions, 4 pairs
for axes, pair in zip(both, (0, 1), strict=True):
    for t, angle in enumerate(angles[:, pair].tolist()):
        colour = plt.cm.viridis(t / 8)
        tip = (math.cos(angle), math.sin(angle))
        axes.annotate(
            "", tip, (0, 0), arrowprops={"arrowstyle": "->", "lw": 2, "color": colour}
        )
        if pair == 0:
            axes.text(
                1.15 * tip[0], 1.15 * tip[1], t, ha="center", va="center", fontsize=10
            )
    axes.set(xlim=(-1.4, 1.4), ylim=(-1.4, 1.4), aspect="equal", xticks=[], yticks=[])
    axes.set_title(
        f"pair {pair + 1}: {angles[1, pair]:.2f} radians a step", fontsize=10
    )
plt.show()

# %% [markdown]
# **ALiBi** turns nothing. It lowers a score in proportion to the distance, with a slope
# of its own for each head:

# %%
mg.equations.get("alibi-slopes")

# %% [markdown]
# And **none** is possible too: the causal mask alone gives some information, since the
# first word sees one word, the second two.
#
# The four side by side. Each map shows what the positions alone say about a query at $t$
# and a key at $s$, if all words are equal: for the two tables $P_t \cdot P_s$, for RoPE
# the score of a query and a key that are all ones, for ALiBi what is taken off. The
# future, above the diagonal, is left white.

# %% mystnb={"image": {"alt": "Four maps: all but the learned one are the same along each diagonal."}}
n = 32
waves = mg.sinusoidal_positions(n, 64, dtype=torch.float64)
learned = w["position.embedding.weight"][:6]
angles = rotary_angles(n, 64, dtype=torch.float64)
ones = torch.ones(n, 64)
turned = rotate_half(ones, angles.cos(), angles.sin())
distance = torch.arange(n)[:, None] - torch.arange(n)
maps = {
    "sinusoidal": waves @ waves.T,
    "learned (our model's 6)": learned @ learned.T,
    "RoPE": turned @ turned.T,
    "ALiBi, head 1 of 8": -alibi_slopes(8)[0] * distance.double(),
}
figure, grid = plt.subplots(2, 2, figsize=(5.2, 5), layout="constrained")
for axes, (name, scores) in zip(grid.flat, maps.items(), strict=True):
    past = torch.ones(len(scores), len(scores), dtype=torch.bool).tril()
    image = axes.imshow(torch.where(past, scores, math.nan), cmap="viridis")
    axes.set(xlabel="key position s", ylabel="query position t")
    axes.set_title(name, fontsize=10)
    figure.colorbar(image, ax=axes, shrink=0.8)
plt.show()

for name in ("sinusoidal", "RoPE", "ALiBi, head 1 of 8"):
    assert torch.allclose(maps[name][:-1, :-1], maps[name][1:, 1:]), name
print("the same along every diagonal: sinusoidal, RoPE, ALiBi")

# %% [markdown]
# Three of the maps are the same along each diagonal: only the distance counts, so what is
# learnt about neighbours at the beginning of a text holds at its end. The learned table
# promises no such thing, and it ends with its last row. RoPE keeps the promise *whatever
# the words are*, which a table that is added can't:

# %%
generator = torch.Generator().manual_seed(0)
q, k = torch.randn(2, 64, generator=generator)
at_all_places = [
    rotate_half(vector.expand(n, 64), angles.cos(), angles.sin()) for vector in (q, k)
]
scores = at_all_places[0] @ at_all_places[1].T
torch.testing.assert_close(scores[:-1, :-1], scores[1:, 1:])
added = (q + waves) @ (k + waves).T
print(
    "RoPE:  score of the same two words, 3 apart:",
    [round(scores[t, t - 3].item(), 3) for t in (3, 13, 23)],
)
print(
    "table: score of the same two words, 3 apart:",
    [round(added[t, t - 3].item(), 3) for t in (3, 13, 23)],
)

# %% [markdown]
# **Try it yourself.** A GPT of *one* block without positions: does it know the order of
# the words before the last? And one of two blocks?
#
# <details>
# <summary>Answer</summary>
#
# One block does not: at the last position, attention sums over the same words whatever
# their order. Two blocks do, a little: after the first, each word's vector tells which
# words came before it, so the second has something to tell them apart by.
#
# ```python
# for n_layers in (1, 2):
#     shape = mg.GPTConfig(
#         vocab_size=9,
#         d_model=8,
#         n_heads=2,
#         n_layers=n_layers,
#         position="none",
#         init_std=0.3,
#     )
#     orderless = mg.GPT(shape, generator=torch.Generator().manual_seed(0))
#     a = orderless(torch.tensor([[1, 2, 3, 4]]))[0, -1]
#     b = orderless(torch.tensor([[3, 1, 2, 4]]))[0, -1]
#     same = torch.allclose(a, b)
#     print(n_layers, "block(s):", "blind to the order" if same else "sees the order")
#     assert same == (n_layers == 1)
# ```
#
# </details>
#
# ## What you have now
#
# | part | equation | carries information | parameters |
# | --- | --- | --- | --- |
# | embedding, position | $u_t = U_{x_t} + P_t$ | from numbers to vectors | $VD + TD$ |
# | norm | mean 0, variance 1, gain, shift | – | $2D$ |
# | attention | $h = x + A(N(x))$ | **from word to word** | $4D^2 + 4D$ |
# | MLP | $y = h + F(M(h))$ | within a word | $2DF + F + D$ |
# | head | $z_{ti} = U_i \cdot N(h)_t$ | from vectors to scores | none of its own |
#
# The code of the library is as short as that of this lesson: `minigpt/model/block.py` and
# `minigpt/model/gpt.py`. [Autoregressive training](07-autoregressive-training.ipynb) shows
# how the numbers of the state dict are found.
