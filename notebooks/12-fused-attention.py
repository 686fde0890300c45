# %% [markdown]
# # Fused attention: the same numbers, a tile at a time
#
# Attention on a GPU spends most of its time waiting for numbers to move from memory and
# back. FlashAttention computes exactly the same function and moves far fewer of them.
# Here you
#
# - count what attention computes and what it moves, and see which of the two takes
#   longer;
# - find a softmax that never sees its whole row – the **online softmax**;
# - follow attention tile by tile, with every running number in view, and see which tiles
#   are never loaded at all;
# - take the gradient by tiles, with almost nothing kept from the forward pass;
# - run the GPU kernel of this library on a CPU, and compare its numbers with ours after
#   every tile.
#
# About 40 minutes. You need attention with scale and causal mask, as in
# [Self-attention, exactly as written](05-self-attention-as-written.ipynb).

# %%
import os

# for the last section; before anything imports triton
os.environ["TRITON_INTERPRET"] = "1"

import inspect
import math
import sys
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import torch

import minigpt as mg
from minigpt.learn import online_softmax, tiled_attention, tiled_gradients

generator = torch.Generator().manual_seed(0)


def normal(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=generator, dtype=dtype)


# %% [markdown]
# ## Compute is cheap, memory traffic is expensive
#
# A GPU has a large memory, called HBM, and beside each of its processors a small one
# that is many times faster. All inputs of a computation come from the large one, and
# the result goes back. Take the data sheet of an H100 (the SXM model):

# %%
FLOPS = 989e12  # operations per second, dense products in bfloat16
BANDWIDTH = 3.35e12  # bytes per second, between HBM and the processors
balance = FLOPS / BANDWIDTH
print(f"{balance:.0f} operations in the time that it takes to move one byte")

# %% [markdown]
# A kernel doing fewer operations per byte than this is **memory-bound**: the processors
# wait. Attention as the formula is usually programmed has three steps,
#
# $$
# z = \frac{q k^\top}{\sqrt{E}}, \qquad a = \operatorname{softmax}(z), \qquad o = a v
# $$
#
# and each reads its input from HBM and writes its result back. The scores $z$ and the
# weights $a$ are tables of $T \times T$ numbers. Here is the cost for one head of
# width 64, two bytes a number, without a mask.

# %%
T, E, BYTES = 4096, 64, 2
vector, table = T * E * BYTES, T * T * BYTES  # bytes of q, k, v or o, and of z or a

steps = {  # operations, bytes read, bytes written
    "z = q kᵀ / √E": (2 * T * T * E, 2 * vector, table),
    "a = softmax(z)": (5 * T * T, table, table),
    "o = a v": (2 * T * T * E, table + vector, vector),
}


def bill(name, operations, n_bytes):
    compute, move = operations / FLOPS * 1e6, n_bytes / BANDWIDTH * 1e6
    print(f"{name:<26}{operations / n_bytes:>11.1f}{compute:>12.1f}{move:>10.1f}")


print(f"{'':<26}{'operations':>11}{'µs to':>12}{'µs to':>10}")
print(f"{'':<26}{'per byte':>11}{'compute':>12}{'move':>10}")
for name, (operations, read, written) in steps.items():
    bill(name, operations, read + written)
formula_operations, formula_read, formula_written = map(
    sum, zip(*steps.values(), strict=True)
)
bill("all three", formula_operations, formula_read + formula_written)

assert all(n / (r + w) < balance for n, r, w in steps.values())

# %% [markdown]
# Every step stays far below the balance. Moving the two tables there and back takes
# several times as long as all the arithmetic, and faster arithmetic would not help. (An
# exponential costs more than a product, which the softmax's microseconds leave out; even
# ten times as many would change nothing.) What would help is to *fuse* the steps: to keep
# a score where it was computed until the output is done, and never to write it down.
#
# There are two obstacles. The small memory holds about 200 KB, far less than the table. And
# a softmax seems to need its whole row: each weight is divided by the sum of all
# exponentials, and before that the largest score is subtracted from each.
#
# ## A softmax that forgets its row
#
# Read the scores $z_1, z_2, \dots$ of one query from left to right, and keep two
# numbers and a vector: the largest score so far $m$, the sum of exponentials so far $l$,
# and the running output $o$.

# %%
online_softmax.equation

# %% [markdown]
# Everything summed so far was taken relative to the old maximum. When a larger score
# comes, the factor $e^{m_{i-1} - m_i}$ corrects all of it at once – a single
# multiplication, whatever the number of keys behind. When none comes the factor is
# $e^0 = 1$.
#
# Four scores, and values that are easy to follow: the identity matrix, so that the
# running output shows how much each key has contributed.

# %%
z = torch.tensor([1.0, 3.0, 2.0, 4.0], dtype=torch.float64)
v = torch.eye(4, dtype=torch.float64)
m, l, o = online_softmax(z, v)

for i in range(4):
    weights = "  ".join(f"{x:.4f}" for x in o[i] / l[i])
    print(
        f"after z_{i + 1} = {z[i]:.0f}:  m = {m[i]:.0f}   l = {l[i]:.4f}   o / l = "
        f"{weights}"
    )

# %% [markdown]
# Divided by $l$, the running output is at every moment the softmax of the keys so far.
# After the last key it is the softmax of the formula, to the last digits:

# %%
torch.testing.assert_close(o[-1] / l[-1], mg.softmax(z))
for name, value in online_softmax.equation.evaluate_all(z=z, v=v).items():
    torch.testing.assert_close({"m": m, "l": l, "o": o}[name], torch.from_numpy(value))
print(online_softmax.equation.steps(z=z, v=v, i=2))

# %% [markdown]
# Here is a longer row. Each time a new maximum comes, what was gathered before shrinks;
# in between the output moves less and less.

# %% mystnb={"image": {"alt": "Scores under a staircase, their maximum; the output settles."}}
z, v = 2 * normal(40), normal(40, 1)
m, l, o = online_softmax(z, v)
key = range(1, 41)

figure, (above, below) = plt.subplots(
    2, 1, figsize=(5.2, 4.4), sharex=True, layout="constrained"
)
above.plot(key, z, "o", markersize=4, color="tab:gray", label="score z")
above.step(key, m, where="post", color="tab:red", label="largest so far, m")
above.set(ylabel="score")
above.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
below.plot(key, o[:, 0] / l, color="tab:blue", label="running output o / l")
below.axhline(
    mg.softmax(z) @ v[:, 0],
    color="black",
    linestyle=":",
    label="softmax of the whole row",
)
below.set(xlabel="keys seen", ylabel="output")
below.legend(frameon=False, loc="best")
plt.show()

# %% [markdown]
# **Try it yourself.** Two processors share the work: one has seen the keys 1 to 15, the
# other 16 to 40. Each hands over its final $m$, $l$ and $o$. How do you get the output
# for the whole row?
#
# <details>
# <summary>Answer</summary>
#
# By the same rule, with a whole state in place of one key: bring both to the larger
# maximum, then add.
#
# ```python
# one, two = (online_softmax(z[part], v[part]) for part in (slice(0, 15), slice(15, 40)))
# (m_1, l_1, o_1), (m_2, l_2, o_2) = ([x[-1] for x in state] for state in (one, two))
# m_both = torch.maximum(m_1, m_2)
# shrink_1, shrink_2 = torch.exp(m_1 - m_both), torch.exp(m_2 - m_both)
# merged = (shrink_1 * o_1 + shrink_2 * o_2) / (shrink_1 * l_1 + shrink_2 * l_2)
# torch.testing.assert_close(merged, o[-1] / l[-1])
# ```
#
# The order of the keys does not matter, nor where they are split. That is how attention is
# shared between processors when one query has a very long past, and between machines
# when a text is too long for one of them.
#
# </details>
#
# **Exercise: `online_softmax_step`.** Absorb a block of $n$ scores and values in one
# step. The state before the first block is $m = -\infty$, $l = 0$ and $o = 0$; the new
# state has a prime.
#
# $$
# m' = \max(m, \max_j z_j), \qquad
# l' = l e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'}, \qquad
# o' = o e^{m - m'} + \sum_{j=1}^{n} e^{z_j - m'} v_j
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def online_softmax_step(m, l, o, z, v):
    """m (), l (), o (d,) so far, z (n,), v (n, d) → the new m, l, o."""
    # Your code.


reply = mg.check.online_softmax_step(online_softmax_step)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Which maximum are $l$ and $o$ relative to before the block, and which one afterwards?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $l e^{m - m'}$ the exponent is never positive. What is the factor if $m$ is still
# $-\infty$?
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
# ## A tile at a time
#
# One query and one key would use a processor poorly. So a block of queries meets a block of
# keys: a **tile** of scores, small enough for the fast memory, large enough to keep the
# arithmetic units busy. The update is that of the equation above, for all queries of the
# block at once. Here are the lines in PyTorch that do it:

# %%
from minigpt.learn import tiles

print(inspect.getsource(tiles.absorb))

# %% [markdown]
# `tiled_attention` loops over the tiles and keeps a record of each. Sixteen positions,
# tiles of 4 × 4, and again the identity as values, so that $o / l$ is a table of
# weights. What does the last block of queries, 13 to 16, know after each of its four
# tiles?

# %% mystnb={"image": {"alt": "Four strips of weights: each tile fills four columns more."}}
q, k = 1.5 * normal(16, 16), normal(16, 16)
tiled = tiled_attention(q, k, torch.eye(16, dtype=torch.float64), blocks=(4, 4))
last_block = [tile for tile in tiled.tiles if tile.queries.start == 12]

figure, panels = plt.subplots(
    4, 1, figsize=(5.2, 5.6), sharex=True, layout="constrained"
)
for axes, tile in zip(panels, last_block, strict=True):
    axes.imshow(
        tile.o / tile.l[:, None],
        cmap="Blues",
        vmin=0,
        vmax=0.7,
        extent=(0.5, 16.5, 16.5, 12.5),
    )
    axes.add_patch(
        plt.Rectangle(
            (tile.keys.start + 0.5, 12.5), 4, 4, fill=False, color="tab:orange", lw=3
        )
    )
    axes.set(yticks=range(13, 17), xticks=range(1, 17), ylabel="query")
    axes.set_title(
        f"after keys {tile.keys.start + 1} to {tile.keys.stop}", fontsize=10, loc="left"
    )
panels[-1].set_xlabel("key; the tile in the fast memory is framed")
plt.show()

# %% [markdown]
# The columns fill from left to right and are rescaled on the way. The last tile is on the
# diagonal: a query does not see the keys that come after it. The last strip is attention as
# we know it.

# %%
print("query 16, after each tile:")
for tile in last_block:
    so_far = mg.softmax(q[15] @ k[: tile.keys.stop].T / 4)
    torch.testing.assert_close(tile.o[-1, : tile.keys.stop] / tile.l[-1], so_far)
    print(
        f"  keys {tile.keys.start + 1:2d} to {tile.keys.stop:2d}:  m = "
        f"{tile.m[-1]:6.3f}   l = {tile.l[-1]:6.3f}"
    )

weights = mg.causal_attention(q, k, torch.eye(16, dtype=torch.float64))
torch.testing.assert_close(tiled.output, weights)
print("the output is that of the formula")

# %% [markdown]
# ## Tiles that are never loaded
#
# In a causal model the half of the table above the diagonal is masked. The formula
# computes it and throws it away. Tiles need not: a tile entirely above the diagonal is
# left out, a tile entirely below it needs no mask, and only tiles on the diagonal pay for
# comparisons.

# %% mystnb={"image": {"alt": "A map of tiles: those above the diagonal are never loaded."}}
q, k, v = (normal(256, 64, dtype=torch.float32) for _ in range(3))
causal = tiled_attention(q, k, v, blocks=(32, 16))
causal.plot()

# %% [markdown]
# With a sliding window, here of 96 positions, tiles that are too far back are left out,
# too: the work grows with $T$ and no longer with its square.

# %% mystnb={"image": {"alt": "A map of tiles: a band along the diagonal; all else is never loaded."}}
windowed = tiled_attention(q, k, v, blocks=(32, 16), window=96)
torch.testing.assert_close(windowed.output, mg.causal_attention(q, k, v, window=96))
windowed.plot()

# %% [markdown]
# **Try it yourself.** Which share of its tiles does causal attention load when the text
# is very long? Does it depend on the shape of a tile?
#
# <details>
# <summary>Answer</summary>
#
# Half of them, and the tiles on the diagonal, which weigh less and less. Large tiles
# reach further above the diagonal.
#
# ```python
# for blocks in ((16, 16), (64, 64)):
#     for n in (64, 256, 1024):
#         q, k, v = (normal(n, 8) for _ in range(3))
#         run = tiled_attention(q, k, v, blocks=blocks)
#         share = len(run.tiles) / (len(run.tiles) + run.skipped)
#         print(f"tiles of {blocks}, {n:4d} positions: {share:.1%} loaded")
# ```
#
# </details>
#
# ## What is moved now
#
# Every run counts the bytes it would move between HBM and the fast memory: the queries
# once, the keys and values once *for each tile that is visited*, the output once. Beside
# it the count of the formula, a step at a time.

# %%
lengths = [128, 256, 512, 1024, 2048, 4096]
ways = {
    "tiles of 64 × 64": {"blocks": (64, 64)},
    "tiles of 128 × 64": {"blocks": (128, 64)},
    "tiles of 128 × 64, window 512": {"blocks": (128, 64), "window": 512},
}
moved = {"the formula": [], **{name: [] for name in ways}}
for n in lengths:
    q, k, v = (normal(n, 64, dtype=torch.float32).bfloat16() for _ in range(3))
    for name, options in ways.items():
        run = tiled_attention(q, k, v, **options)
        moved[name].append(run.bytes_read + run.bytes_written)
    moved["the formula"].append(sum(run.formula_bytes))

assert moved["the formula"][-1] == formula_read + formula_written  # as counted above
print(f"{'MiB moved, T =':<32}" + "".join(f"{n:>8}" for n in lengths))
for name, counts in moved.items():
    print(f"{name:<32}" + "".join(f"{count / 2**20:>8.2f}" for count in counts))

# %% mystnb={"image": {"alt": "Bytes over the length: the formula far above the tiles, the window flattest."}}
figure, axes = plt.subplots(figsize=(5.2, 3.8), layout="constrained")
for (name, counts), marker in zip(moved.items(), "so^v", strict=True):
    axes.loglog(lengths, [count / 2**20 for count in counts], marker + "-", label=name)
axes.set(xlabel="positions T", ylabel="moved (MiB, one head)")
axes.set_xticks(lengths, lengths)
axes.set_yticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
axes.minorticks_off()
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Read it with care. The curves of the tiles are as steep as that of the formula: for
# each block of queries all keys before it are read again, which is $T^2$ as well. But
# instead of whole tables it moves $2E$ numbers a key, shared by all queries of the block:
# the more queries in a block, the fewer bytes. Only the window changes the slope.
#
# And the count is that of a machine without a cache. Real GPUs keep recently read data in a
# cache between the two memories, tens of megabytes, where the keys and values of a head
# easily fit. In the best case each is read from HBM only once. The same costs as above, for
# both extremes:

# %%
q, k, v = (normal(T, E, dtype=torch.float32).bfloat16() for _ in range(3))
# no mask, as in the first bill
fused = tiled_attention(q, k, v, blocks=(128, 64), causal=False)
no_cache = fused.bytes_read + fused.bytes_written
read_once = 3 * vector + fused.bytes_written

print(f"{'':<26}{'operations':>11}{'µs to':>12}{'µs to':>10}")
print(f"{'':<26}{'per byte':>11}{'compute':>12}{'move':>10}")
bill("the formula", formula_operations, formula_read + formula_written)
bill("tiles, no cache", formula_operations, no_cache)
bill("tiles, each key read once", formula_operations, read_once)

assert formula_operations / read_once > balance > formula_operations / no_cache

# %% [markdown]
# With the cache attention is no longer bound by memory but by arithmetic, which is the best
# possible case. These are predictions from a data sheet, not measurements: a real kernel
# reaches a part of both rates.
#
# The other gain is certain. The table is not only moved, it also has to be *stored*:

# %%
print(f"{'T':>8}{'table of one head':>20}{'log-sum-exps of one head':>27}")
for n in (1024, 8192, 65536):
    print(f"{n:>8}{n * n * BYTES / 2**20:>16,.0f} MiB{n * 4 / 2**20:>23.3f} MiB")

# %% [markdown]
# ## Backwards
#
# To train, one needs gradients, and those of attention need the weights. The formula
# keeps its table from the forward pass until then. Tiles keep $L_t = m + \log l$, the
# **log-sum-exp**, one number a query: with it a weight is found again from its score,
# $P_{ts} = e^{z_{ts} - L_t}$, without a maximum and without a sum.

# %%
tiled_gradients.equation

# %% [markdown]
# $D_t$ is what the softmax takes back: raise one score, and all other weights of the
# row fall. ($c_t$ is the gradient of the log-sum-exp itself, for those who use it;
# mostly 0.) The sums over $t$ and $s$ can be taken in any order, so in tiles:

# %%
lines = inspect.getsource(tiled_gradients).splitlines()
first = next(i for i, line in enumerate(lines) if "in visited(" in line)
print(textwrap.dedent("\n".join(lines[first:])))

# %% [markdown]
# The oracle is PyTorch's own differentiation, through the formula with its table:

# %%
q, k, v, d_output = (normal(48, 16) for _ in range(4))
q, k, v = (x.requires_grad_() for x in (q, k, v))
expected = torch.autograd.grad(mg.causal_attention(q, k, v), (q, k, v), d_output)

with torch.no_grad():
    forward = tiled_attention(q, k, v)
    found = tiled_gradients(
        (q, k, v), (forward.output, forward.lse), (d_output, None), blocks=(8, 16)
    )

for name, ours, theirs in zip("qkv", found, expected, strict=True):
    torch.testing.assert_close(ours, theirs)
    print(f"gradient of {name}: largest difference {(ours - theirs).abs().max():.0e}")

# %% [markdown]
# The tiles of the backward pass may have another size than those of the forward pass;
# nothing of a tile was kept. It costs a fifth product beside the four that a backward
# pass has anyway: $qk^\top$ is computed again. What that buys, for one text of a
# thousand tokens through GPT-2:

# %%
gpt2 = mg.GPTConfig.preset("gpt2")
heads, n = gpt2.n_layers * gpt2.n_heads, gpt2.context_length
print(f"weights kept by the formula: {heads * n * n * BYTES / 2**20:7.1f} MiB")
print(f"log-sum-exps kept by tiles:  {heads * n * 4 / 2**20:7.1f} MiB")

# %% [markdown]
# ## The kernel
#
# All of this was PyTorch, and slow: each tile was an operation of its own, on a CPU that
# has no memory traffic to save. On a GPU the loop has to run *inside one program*, a kernel.
# The library has one, `minigpt.kernels`, in Triton, a language that looks like Python
# and is compiled for GPUs. Triton also has an interpreter, in which a kernel runs on any
# CPU, as plain Python, one operation at a time; that is what `TRITON_INTERPRET` in the first
# cell is for.

# %%
from minigpt import kernels

HAS_KERNEL = kernels.available()
if HAS_KERNEL:
    print("Triton is here; the kernel runs in its interpreter.")
else:
    print(
        "Triton is not installed here (it exists for Linux only), so the cells below "
        "do\n"
        "nothing. Their outputs are on the site, and all of the above needs no Triton."
    )

# %% [markdown]
# This is the loop over the keys. Compare it with `absorb`: the same lines, in the same
# order. `tl` is Triton's language, `part` says whether a tile needs a mask, and powers
# are taken of 2, because that is what the hardware does.

# %%
if HAS_KERNEL:
    from minigpt.kernels import flash_forward

    lines = inspect.getsource(flash_forward).splitlines()
    first, last = (
        next(i for i, line in enumerate(lines) if mark in line)
        for mark in ("for first_key in range", "m = m_new")
    )
    print(textwrap.dedent("\n".join(lines[first : last + 1])))

# %% [markdown]
# In the interpreter one can look inside. `load_tile` is called for each tile of keys; we
# replace it by a function of our own that first records the numbers that the kernel holds
# at that moment. Three blocks of queries, with the interpreter's tiles of 64 × 64:

# %%
q, k, v = (normal(192, 32, dtype=torch.float32) for _ in range(3))
noted = []


def note_and_load(tile, first_row, *rest):
    inside = sys._getframe(1).f_locals  # the variables of the kernel that called
    if "m" in inside and tile is inside["k_tile"]:
        state = [
            torch.from_numpy(inside[name].handle.data.copy())
            for name in ("m", "l", "o")
        ]
        noted.append((int(inside["first_query"]), int(first_row), *state))
    return load_tile(tile, first_row, *rest)


if HAS_KERNEL:
    from minigpt.kernels.fused_attention import fused_attention

    load_tile, flash_forward.load_tile = flash_forward.load_tile, note_and_load
    # 2 to the power of -inf is 0, which numpy remarks on
    with np.errstate(all="ignore"):
        output, lse = fused_attention(q[None, None], k[None, None], v[None, None])
    flash_forward.load_tile = load_tile

# %% [markdown]
# Now compare our tiles with the kernel's. The record has its state *before* a tile, which
# is our state after the previous one. Its maximum is for powers of 2, so it differs by the
# factor $\log_2 e$.

# %%
tiled = tiled_attention(q, k, v, blocks=(64, 64))


def largest_differences(ours, theirs):
    m, l, o = theirs
    pairs = (ours.m, m / math.log2(math.e)), (ours.l, l), (ours.o, o)
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    return "".join(f"{(a - b).abs().max():>12.0e}" for a, b in pairs)


if HAS_KERNEL:
    # the kernel takes the longest rows first
    in_order = sorted(noted, key=lambda note: note[:2])
    assert [note[:2] for note in in_order] == [
        (t.queries.start, t.keys.start) for t in tiled.tiles
    ]
    print(
        f"{'queries from':>12}{'keys from':>11}   largest difference of  m, l and o "
        f"after the tile"
    )
    for tile, following in zip(tiled.tiles, [*in_order[1:], None], strict=True):
        if following is not None and following[0] == tile.queries.start:
            text = largest_differences(tile, following[2:])
        else:
            text = "         – last of its block: see the output"
        print(f"{tile.queries.start:>12}{tile.keys.start:>11}   {text}")
    torch.testing.assert_close(output[0, 0], tiled.output, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(lse[0, 0], tiled.lse, rtol=1e-5, atol=1e-5)
    print(
        f"\noutput: largest difference {(output[0, 0] - tiled.output).abs().max():.0e}"
    )
    print(f"log-sum-exp:               {(lse[0, 0] - tiled.lse).abs().max():.0e}")

# %% [markdown]
# The same tiles, in the same order within each block, with the same numbers in them up
# to the rounding of 32-bit arithmetic. The backward pass of the kernel is that of the
# section above:

# %%
if HAS_KERNEL:
    d_output = normal(192, 32, dtype=torch.float32)
    inputs = [x[None, None].requires_grad_() for x in (q, k, v)]
    with np.errstate(all="ignore"):
        output, _ = fused_attention(*inputs)
        found = torch.autograd.grad(output, inputs, d_output[None, None])
    with torch.no_grad():
        by_tiles = tiled_gradients(
            (q, k, v), (tiled.output, tiled.lse), (d_output, None)
        )
    for name, ours, theirs in zip("qkv", by_tiles, found, strict=True):
        torch.testing.assert_close(ours, theirs[0, 0], rtol=1e-5, atol=1e-4)
        print(
            f"gradient of {name}: largest difference "
            f"{(ours - theirs[0, 0]).abs().max():.0e}"
        )

# %% [markdown]
# A whole model runs on the kernel with `GPTConfig(attention="triton")`: on a GPU, and,
# slowly, in the interpreter.

# %%
if HAS_KERNEL:
    small = {"vocab_size": 65, "context_length": 64, "n_layers": 2}
    ids = torch.randint(0, 65, (1, 64), generator=generator)
    logits = {}
    for attention in ("formula", "triton"):
        config = mg.GPTConfig.preset("nano", **small, attention=attention)
        model = mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()
        with torch.no_grad(), np.errstate(all="ignore"):
            logits[attention] = model(ids)
    torch.testing.assert_close(
        logits["triton"], logits["formula"], rtol=1e-5, atol=1e-5
    )
    print("the same logits")

# %% [markdown]
# **Try it yourself.** Make a text of 192 tokens in which the very first key has by far
# the largest score for every query. How often does a kernel correct its running sums
# then? And if the largest score always comes last?
#
# <details>
# <summary>Answer</summary>
#
# Never after the first tile: $m$ does not rise again, and every later factor is $e^0 =
# 1$. If the scores rise along the row, every tile corrects. The work is the same either
# way: the kernel multiplies without asking.
#
# ```python
# rising = torch.linspace(0, 8, 192)[:, None] * torch.ones(1, 32)
# ones = torch.ones(192, 32)
# for name, keys in (("falling", rising.flip(0)), ("rising", rising)):
#     run = tiled_attention(ones, keys, v, blocks=(64, 64))
#     maxima = [round(t.m[-1].item(), 2) for t in run.tiles if t.queries.start == 128]
#     print(name, "scores: m of the last query after each tile", maxima)
# ```
#
# </details>
#
# ## Read on
#
# - Tri Dao and others, *FlashAttention* (2022, arXiv:2205.14135) and *FlashAttention-2*
#   (2023, arXiv:2307.08691): the algorithm and the counts of bytes; Milakov & Gimelshein
#   (2018, arXiv:1805.02867): the online softmax.
# - `kernels/flash_forward.py` and `kernels/flash_backward.py`: the kernels whole, a
#   page each.
