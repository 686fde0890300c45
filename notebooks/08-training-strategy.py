# %% [markdown]
# # Training strategy: what each switch does, measured
#
# A training run has a dozen switches, and advice about each of them is easy to find. Here
# every switch is tried: same data, same number of tokens, several seeds, and a difference
# counts only where it is larger than the spread of the seeds. You
#
# - learn to tell a difference from luck;
# - measure learning rate, schedule, warm-up, batch size, clipping, weight decay,
#   optimizer, averaging and label smoothing on a task of a second;
# - see which switches save memory or time and leave the result as it is;
# - read the fine-tuning script that many have copied, and know what each of its lines
#   chooses.
#
# About 40 minutes. You need the training loop ([Autoregressive
# training](07-autoregressive-training.ipynb)).

# %%
import dataclasses
import math
import os
import statistics
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import minigpt as mg
from minigpt.training import OPTIMIZERS, RunState, accumulate_gradients
from minigpt.training.safety.memory import step_memory

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
plt.rcParams["figure.dpi"] = 40 if QUICK else 110
SEEDS = 2 if QUICK else 3

# %% [markdown]
# ## A task of a second
#
# The model is small enough to fit in a pocket, and reads stories of the tiny world letter
# by letter. That is too little to learn much, and enough to see what a switch does in the
# first hundred steps. **What is measured here holds for this model and this budget**; the
# way to measure holds everywhere.

# %%
mg.PRESETS["pocket"] = {
    "context_length": 32,
    "d_model": 32,
    "n_layers": 2,
    "n_heads": 2,
}
Path("stories.txt").write_text(
    mg.TinyWorld().text(40 if QUICK else 300), encoding="utf-8"
)

base = mg.RunConfig.of(
    text="stories.txt",
    validation_fraction=0.05,
    tokenizer="char",
    preset="pocket",
    recipe="gpt2",  # the parts of GPT-2, and AdamW
    steps=3 if QUICK else 100,
    batch_size=16,
    device="cpu",
)
settings = base.resolved().training
print(
    f"{settings.steps} steps of {settings.batch_size} × 32 letters, "
    f"{settings.optimizer} at {settings.learning_rate}"
)
print(
    f"schedule {settings.schedule}, warm-up {settings.warmup} steps, clipping at "
    f"{settings.clip_norm}"
)

# %% [markdown]
# ## Luck first
#
# Nothing is changed but the seed: other initial weights, another order of the data.

# %%
luck = mg.compare(
    {"optimizer": ["adamw"]}, base, seeds=2 if QUICK else 5, progress=False
)
baseline = [trial.loss for trial in luck.trials["optimizer=adamw"]]
print("nats per letter, seed by seed:", [round(loss, 3) for loss in baseline])
print(
    f"mean {statistics.mean(baseline):.3f}, spread (standard deviation) "
    f"{statistics.stdev(baseline):.3f}"
)

# %% [markdown]
# Identical settings differ by this much. A comparison of one run with one other run
# measures this. Below, each strategy gets the seeds of the baseline, and we look at the
# differences seed by seed: a seed that is lucky for one is mostly lucky for the other,
# and that luck cancels.

# %%
losses, differences = {}, {}


def report(comparison, against=baseline, note=""):
    """Final losses, and their differences from the same seeds of another strategy."""
    for name, trials in comparison.trials.items():
        found = losses[name + note] = [trial.loss for trial in trials]
        change = [after - before for after, before in zip(found, against, strict=False)]
        mean, spread = statistics.mean(change), statistics.stdev(change)
        if any(change):  # not the baseline itself
            differences[name + note] = mean, spread
        print(
            f"{name:24} loss {statistics.mean(found):.3f}   difference {mean:+.3f} ± "
            f"{spread:.3f}"
        )


def measure(switches, config=base, **how):
    report(mg.compare(switches, config, seeds=SEEDS, progress=False), **how)


# %% [markdown]
# ## Learning rate
#
# If it is too low, the budget is spent before the model has arrived; if it is too high,
# every step jumps over the valley.

# %% mystnb={"image": {"alt": "Loss over the learning rate, a valley: high at both ends."}}
rates = [
    round(settings.learning_rate * factor, 6) for factor in (0.01, 0.1, 0.3, 1, 3, 10)
]
measure({"learning_rate": rates})

figure, axes = plt.subplots(figsize=(5.0, 3.0), layout="constrained")
by_rate = [losses[f"learning_rate={rate}"] for rate in rates]
means, spreads = map(statistics.mean, by_rate), map(statistics.stdev, by_rate)
axes.errorbar(rates, list(means), yerr=list(spreads), fmt="o-", capsize=3)
axes.set(xscale="log", xlabel="learning rate", ylabel="loss (nats per letter)")
plt.show()

# %% [markdown]
# No other switch of this lesson moves the loss so far from the baseline (the last picture
# shows it). So search the rate first, and again whenever the batch size, the optimizer or
# the width change.
#
# **The finder** does so in one short run: the rate grows at every step, and where the
# loss turns up, it is too high.

# %%
mg.equations.get("exponential-ramp")

# %% mystnb={"image": {"alt": "Loss against a growing rate: flat, falling, then rising; a line marks the rate to try."}}
tokenizer = mg.CharTokenizer.train(mg.read_text("stories.txt"))
data = mg.TokenDataset.from_text(
    mg.read_text("stories.txt"), tokenizer, context_length=32
)
shape = base.resolved(vocab_size=tokenizer.vocab_size).model


def new_model(seed=0):
    return mg.GPT(shape, generator=torch.Generator().manual_seed(seed))


search = mg.find_learning_rate(new_model(), data, settings, steps=20 if QUICK else 120)
print(search)
picture = search.plot()
picture.set_dpi(110)
picture

# %%
best = min(rates, key=lambda rate: statistics.mean(losses[f"learning_rate={rate}"]))
print(
    f"the finder says {search.suggestion:.1e}; the best of the rates tried is "
    f"{best:.1e}"
)
assert QUICK or best / 4 < search.suggestion < best * 4

# %% [markdown]
# ## Schedule and warm-up
#
# With a rate that stays high the model cannot settle; a rate that is low from the beginning
# wastes the steps in which much could be gained. So the rate rises, stays or falls slowly,
# and ends low.

# %%
mg.warmup_cosine.equation

# %% mystnb={"image": {"alt": "Four schedules: constant, half a cosine, a line, and one that falls late."}}
figure, axes = plt.subplots(figsize=(5.4, 3.0), layout="constrained")
steps = range(1, 101)
for name, schedule in mg.SCHEDULES.items():
    axes.plot(
        steps,
        [schedule(t, peak=1, final=0.1, warmup_steps=10, steps=100) for t in steps],
        label=name,
    )
axes.set(xlabel="step", ylabel="rate (share of the highest)", ylim=(0, 1.1))
axes.legend(frameon=False)
plt.show()

# %%
measure({"schedule": ["constant", "linear", "wsd"]})
print("\nat five times the rate, without warm-up and with:")
fast = base.changed(learning_rate=5 * settings.learning_rate, warmup_steps=0)
measure({"warmup_steps": [0]}, fast, note=", rate × 5")
cold = losses["warmup_steps=0, rate × 5"]
# against the baseline, which has another rate
del differences["warmup_steps=0, rate × 5"]
measure({"warmup_steps": [2 if QUICK else 20]}, fast, against=cold, note=", rate × 5")
assert QUICK or differences["warmup_steps=20, rate × 5"][0] < 0

# %% [markdown]
# Surprised? The baseline is the cosine, and it does *not* win. A falling rate pays when
# the noise of the batches is what keeps the loss up. After a hundred steps it is not:
# this model still has far to go, and a rate that stays high takes it further. In a run
# of thousands of steps the order is usually reversed. A schedule belongs to a budget.
#
# And warm-up recovers most of what a rate five times too high costs. It matters in the
# first steps, in which Adam's means come from a handful of batches, and a step that is too
# long takes many steps to correct. Deep models and post-norm need it most ([The Transformer
# block and GPT](06-transformer-block-and-gpt.ipynb) has a picture of one that fails without
# it). How long should it be? A few per cent of the run, with an upper limit, since the
# means need a number of steps and not a share: the library takes a twentieth of the steps,
# and no more than 100. GPT-3 took 375 million of its 300 billion tokens, or 0.1 % (Brown et
# al. 2020, arXiv:2005.14165).
#
# **Exercise: `learning_rate`.** Write the cosine schedule with warm-up for any step
# $t \ge 0$, also those after the end of the run, $S$.
#
# $$
# \eta(t) = \begin{cases}
# \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
# \eta_{\min} + \frac{1}{2} (\eta_{\max} - \eta_{\min})
# \left(1 + \cos\left(\pi \frac{t - W}{S - W}\right)\right) & \text{if } t < S \\
# \eta_{\min} & \text{otherwise}
# \end{cases}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def learning_rate(step, max_lr, min_lr, warmup, total):
    """The step, two rates, and two numbers of steps: W and S → a number."""
    # Your code.


reply = mg.check.learning_rate(learning_rate)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# What is the rate at $t = W$, by the first line and by the second?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The cosine $\cos\left(\pi \frac{t - W}{S - W}\right)$ falls from 1 to -1. From which
# step on is the fraction counted?
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
# ## Batch size
#
# The gradient of a batch is an estimate of the gradient of all texts. Four times as many
# sequences halve its error, and cost four times as much. Here is how far a batch's
# gradient is from that of a very large one:


# %%
def gradient_of(model, inputs, targets, micro_batch=None):
    model.zero_grad()
    accumulate_gradients(model, inputs, targets, micro_batch or len(inputs))
    return torch.cat([q.grad.flatten() for q in model.parameters()])


# %% mystnb={"image": {"alt": "Relative error of the gradient against batch size, on a line of slope minus one half."}}
model = new_model()
exact = gradient_of(model, *data.batch(step=0, batch_size=1024, seed=9))
sizes = [1, 4, 16, 64]
errors = []
for size in sizes:
    some = [gradient_of(model, *data.batch(step, size)) - exact for step in range(8)]
    errors.append(
        statistics.mean((error.norm() / exact.norm()).item() for error in some)
    )
    print(f"batch of {size:2}: the gradient is off by {errors[-1]:.0%} of its length")
assert 0.5 < errors[1] / errors[3] / 4 < 2  # 16 times the batch, a quarter of the error

figure, axes = plt.subplots(figsize=(4.6, 3.0), layout="constrained")
axes.loglog(sizes, errors, "o-", label="measured")
axes.loglog(
    sizes,
    [errors[0] / size**0.5 for size in sizes],
    ":",
    color="black",
    label="1 / √batch size",
)
axes.set(xlabel="batch size (sequences)", ylabel="error of the gradient (relative)")
axes.set_xticks(sizes, sizes)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# More sequences, fewer updates: what is better for the same number of tokens?

# %%
measure({"batch_size": [4, 64]})

# %% [markdown]
# That comparison breaks the rule above: with a new batch size, search the rate again. So
# give each size five rates, and take the best of each.

# %%
factors = (1, 3) if QUICK else (0.1, 0.3, 1, 3, 10)
many = [round(settings.learning_rate * factor, 6) for factor in factors]
retuned = {}
for size in (4, 64):
    grid = {"batch_size": [size], "learning_rate": many}
    found = mg.compare(grid, base, seeds=2, progress=False)
    print(f"batch of {size:2}:")
    for rate, name in zip(many, found.trials, strict=True):
        print(f"  at {rate:.4f}  {found.loss(name)[0]:.3f}")
    retuned[size] = found.loss(found.best)[0]
print(f"the best of each: {retuned[4]:.3f} and {retuned[64]:.3f}")
assert QUICK or retuned[4] < retuned[64]

# %% [markdown]
# The result holds at the best rate of each, too. In this short run many updates are worth
# more than a gradient with less error. Later in a run, when the noise matters, larger
# batches pay (McCandlish et al. 2018, arXiv:1812.06162). And on a GPU, which computes 64
# sequences in little more time than 4, the time may favour the large batch where the number
# of tokens does not.
#
# Two rules of thumb say where to begin the search when the batch becomes $k$ times as
# large: with SGD, $k$ times the rate (Goyal et al. 2017, arXiv:1706.02677); with Adam,
# $\sqrt{k}$ times (Malladi et al. 2022, arXiv:2205.10330). Both assume that the noise is
# the limit. Here it is not, and both sizes are best at about the same rate.
#
# ### Accumulation
#
# A batch too large for the memory goes through the model in pieces, and the gradients of
# the pieces add up. That changes nothing but the rounding: the sum is over the same
# sequences.

# %%
inputs, targets = data.batch(step=0, batch_size=16)
whole = gradient_of(model, inputs, targets)
for micro_batch in (8, 4, 1):
    pieces = gradient_of(model, inputs, targets, micro_batch)
    print(
        f"{16 // micro_batch:2} pieces: largest difference below 1e-6: "
        f"{(pieces - whole).abs().max() < 1e-6}"
    )
    torch.testing.assert_close(pieces, whole, rtol=1e-4, atol=1e-6)

# %% [markdown]
# One mistake is common: to take the mean of each piece and the mean of those. Where
# pieces have different numbers of targets – padded rows do – that is another gradient.
# The library divides by the count of the whole batch.
#
# ## Clipping
#
# Now and then a batch has a gradient many times as long as usual. Clipping shortens it:

# %%
mg.clip_by_norm.equation

# %% mystnb={"image": {"alt": "Gradient norms over the steps, and the line at which they are cut."}}
unclipped = dataclasses.replace(settings, clip_norm=math.inf)
steps, norms = mg.train(new_model(), data, unclipped, progress=False).column(
    "gradient_norm"
)

figure, axes = plt.subplots(figsize=(5.4, 2.8), layout="constrained")
axes.semilogy(steps, norms, label="without clipping")
axes.axhline(
    settings.clip_norm, color="black", ls=":", label="clip_norm of the baseline"
)
axes.set(xlabel="step", ylabel="norm of the gradient")
axes.legend(frameon=False)
plt.show()

measure({"clip_norm": [math.inf]})
assert QUICK or differences["clip_norm=inf"][0] > 0

# %% [markdown]
# On average the runs without clipping end worse, but the seeds differ by as much: with so
# few seeds it can't be told from luck. AdamW divides each gradient by its own usual size,
# so one would expect clipping to change little. It may help because "usual" has a long
# memory. A gradient that is far too long stays in the mean of squares for about a hundred
# steps – that is $\beta_2 = 0.99$ – and makes all of them shorter.
#
# **Exercise: `clip_gradients`.** Clip the gradients $g_k$ of $K$ parameters, which have
# different shapes. $c$ is the largest norm that is allowed.
#
# $$
# N = \sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2}, \qquad g'_k = g_k \min\left(1, \frac{c}{N}\right)
# $$


# %%
def clip_gradients(gradients, max_norm):
    """A list of gradients, and the largest norm → a list of the same shapes."""
    # Your code.


reply = mg.check.clip_gradients(clip_gradients)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Does each parameter have a norm of its own, or do all of them have one together?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $\sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2}$ the sum is under the root. What becomes
# of gradients if this norm is below $c$?
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
# ## Weight decay
#
# AdamW pulls every matrix towards 0, a little at each step, besides what the gradient
# says:

# %%
mg.AdamW.equation

# %%
measure({"weight_decay": [0.0, 1.0]})
pulled = torch.nn.Parameter(torch.ones(1))
pulled.grad = torch.zeros(1)
optimizer = mg.AdamW([pulled], lr=0.01, weight_decay=0.1)
for _ in range(1000):
    optimizer.step()
print(
    f"\na weight of 1 with gradient 0, after 1000 steps: {pulled.item():.3f}; (1 - "
    f"0.01·0.1)^1000 = {0.999**1000:.3f}"
)

# %% [markdown]
# A run that sees every text once cannot learn it by heart, so there is little for the
# decay to prevent. It is useful in long runs, and in runs that see the same text many
# times.
#
# ## AdamW and Muon
#
# AdamW gives each single number a step of about the learning rate. **Muon** treats a
# matrix as a whole: it makes the step orthogonal, so that it is equally long in all
# directions.

# %%
mg.Muon.equation

# %%
names = ["adamw", "muon", "lion", "momentum"]
optimizers = mg.compare({"optimizer": names}, base, seeds=SEEDS, progress=False)
report(optimizers)
for name in names:
    print(
        f"{name:9} at its own rate of "
        f"{settings.learning_rate * OPTIMIZERS[name].relative_rate:.4f}"
    )
assert (
    QUICK
    or optimizers.loss("optimizer=muon")[0] < optimizers.loss("optimizer=adamw")[0]
)

# %% mystnb={"image": {"alt": "Loss against tokens for four optimizers."}}
picture = optimizers.plot()
picture.set_dpi(110)
picture

# %% [markdown]
# An optimizer is only as good as its rate. `RunConfig` multiplies the recipe's rate by
# a factor that usually suits each; a comparison of two optimizers at *one* rate compares
# only that rate. (Momentum's does not suit this model. Which one would?)
#
# ## An average of the weights
#
# The last steps still swing with the noise of the batches. Their average swings less:

# %%
mg.equations.get("weight-average")

# %%
measure({"ema": [0.9]}, note=", cosine")
constant = base.changed(schedule="constant")
measure(
    {"ema": [0.9]},
    constant,
    against=losses["schedule=constant"],
    note=", constant rate",
)

# %% [markdown]
# Hardly any difference, for the same reason as before: an average does what a falling
# rate does, and noise is not what limits this model. (Only the evaluation uses the average;
# training itself continues with the plain weights.)
#
# ## Label smoothing
#
# A little of the target's probability is spread over all tokens, so that certainty is
# never the goal:

# %%
mg.equations.get("label-smoothing")

# %%
measure({"label_smoothing": [0.1]})
assert QUICK or differences["label_smoothing=0.1"][0] > 0

# %% [markdown]
# It makes the loss worse, and must: a language model should give the *true* probabilities,
# and smoothing asks for other ones. It was made for classifiers, whose answers count and
# not their probabilities. (Validation is never smoothed, or the figures could not be
# compared.)
#
# ## Mixed precision
#
# Numbers of 16 bits need half the memory and multiply faster on most GPUs. There are two
# kinds, and both have a price. `float16` has more digits and a small range; `bfloat16`
# has the range of `float32` and fewer than three decimal digits.

# %%
print(
    f"{'':10} {'smallest':>10} {'largest':>10} {'next after 1':>14} {'0.1 is':>12} "
    f"{'1 + 0.001':>10}"
)
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    info = torch.finfo(dtype)
    tenth, one = torch.tensor(0.1, dtype=dtype), torch.tensor(1.0, dtype=dtype)
    name = str(dtype).removeprefix("torch.")
    print(
        f"{name:10} {info.smallest_normal:10.1e} {info.max:10.1e} {1 + info.eps:14.7f}"
        f" {tenth.item():12.9f} {(one + 0.001).item():10.6f}"
    )
assert torch.tensor(1.0, dtype=torch.bfloat16) + 0.001 == 1

# %% mystnb={"image": {"alt": "Rounding error over the size of a number, for three kinds of numbers."}}
figure, axes = plt.subplots(figsize=(5.8, 3.2), layout="constrained")
sizes = torch.logspace(-40, 39, 400, dtype=torch.float64)
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    rounded = sizes.to(dtype).double()
    error = ((rounded - sizes).abs() / sizes).clamp(max=1)
    worst = [error[max(0, i - 6) : i + 7].max().item() for i in range(len(error))]
    axes.loglog(sizes, worst, label=str(dtype).removeprefix("torch."))
axes.set(xlabel="size of the number", ylabel="rounding error (share of it)")
axes.legend(frameon=False, loc="center left")
plt.show()

# %% [markdown]
# The last column of the table is the reason why training is *mixed*: to add a thousandth
# to 1 in bfloat16 changes nothing, and an update is often smaller still. So weights,
# gradients and moments stay in `float32`, and only the large products are taken in 16
# bits. In `float16` small gradients vanish: left of its valley in the picture, the error
# is the whole number. So there the loss is multiplied by a large **scale** before the
# backward pass, and the gradient divided by it after.

# %%
measure({"precision": ["bf16"]})
gradient = torch.tensor(1e-8)
print("\na gradient of 1e-8 in float16:            ", gradient.half().item())
print(
    f"the same with a loss scale of 2^16, undone: "
    f"{(gradient * 2**16).half().float().item() / 2**16:.2e}"
)

# %% [markdown]
# ## Activation checkpointing
#
# For the backward pass, every block keeps what it computed. One can keep only the *input*
# of each block and compute the rest a second time: less memory, a third more arithmetic,
# and the same gradient **to the last bit**. What a step needs is measured on steps of one
# and two sequences:


# %%
def memory_of(activation_checkpointing):
    large = mg.GPT(
        mg.GPTConfig.preset("nano", vocab_size=512),
        generator=torch.Generator().manual_seed(0),
    )
    tokens = mg.TokenDataset(torch.zeros(1000, dtype=torch.int64), 64, vocab_size=512)
    config = dataclasses.replace(
        settings, activation_checkpointing=activation_checkpointing
    )
    return step_memory(RunState(large, config, tokens))


kept, recomputed = memory_of(False), memory_of(True)
print("nano, in kB          as usual  recomputed")
for part in ("weights", "gradients", "moments", "activations"):
    a_sequence = " a sequence" if part == "activations" else ""
    print(
        f"{part + a_sequence:22} {getattr(kept, part) / 1000:6,.0f}  "
        f"{getattr(recomputed, part) / 1000:10,.0f}"
    )
assert recomputed.activations < kept.activations / 2

five = {}
for recompute in (False, True):
    config = dataclasses.replace(
        settings, steps=5, warmup_steps=0, activation_checkpointing=recompute
    )
    five[recompute] = mg.train(new_model(), data, config, progress=False).column(
        "loss"
    )[1]
assert five[False] == five[True]
print("the losses of five steps are equal to the last bit:", five[False] == five[True])

# %% [markdown]
# Accumulation, activation checkpointing and 16 bits are switches of *cost*. The others
# are switches of *result*.
#
# ## All in one picture
#
# Every strategy against the one that it changes, seed by seed: the dot is the mean
# difference, the line twice the spread of the differences. To the left is better.

# %% mystnb={"image": {"alt": "Differences of all strategies from their baselines, with their spread."}}
figure, axes = plt.subplots(figsize=(6.4, 5.6), layout="constrained")
for y, (mean, spread) in enumerate(differences.values()):
    clear = abs(mean) > 2 * spread
    colour = "tab:gray" if not clear else "tab:green" if mean < 0 else "tab:red"
    axes.errorbar(mean, y, xerr=2 * spread, fmt="o", color=colour, capsize=3)
axes.axvline(0, color="black", lw=0.8)
axes.set_yticks(range(len(differences)), differences, fontsize=9)
axes.invert_yaxis()
axes.set_xscale("symlog", linthresh=0.1)
axes.set_xticks([-0.5, -0.1, 0, 0.1, 0.5, 1], ["-0.5", "-0.1", "0", "0.1", "0.5", "1"])
axes.set(xlabel="difference in loss (nats per letter; logarithmic beyond ±0.1)")
plt.show()

unclear = [
    name for name, (mean, spread) in differences.items() if abs(mean) <= 2 * spread
]
print(
    f"{len(unclear)} of {len(differences)} can't be told from luck: "
    f"{'; '.join(unclear)}"
)
worst = max(differences, key=lambda name: differences[name][0])
assert QUICK or worst.startswith("learning_rate")

# %% [markdown]
# Grey dots can't be told from luck with so few seeds. In a comparison of one run with one
# other, each of them could have looked like an improvement, or like a failure.
#
# **Try it yourself.** 1. Give *twice the steps* instead of any switch. How much does that
# help? 2. A colleague finds that `beta_2=0.95` lowers the loss by 0.01 in one run. What
# do you ask?
#
# <details>
# <summary>Answers</summary>
#
# 1. More than most switches. It is a fair yardstick for each of them: how many steps does
#    it save?
# 2. For the spread, and for the same seeds with and without. The cell shows how to check:
#
# ```python
# measure({"beta_2": [0.95]})
# measure({"steps": [2 * settings.steps]})
# ```
#
# </details>
#
# ## The script that everybody copies
#
# Fine-tuning scripts for GPT-2 look much alike: `Adam(lr=0.001)`, batches of 32, ten
# epochs, `padding=True, truncation=True`, `loss = model(**inputs).loss`. The document
# that this library implements has one in its section 4. As printed, it does not run:
#
# | line | what happens | why |
# | --- | --- | --- |
# | `tokenizer(batch, padding=True)` | an error | GPT-2's vocabulary has no padding token |
# | `outputs.loss.backward()` | an error | without labels the right answers are unknown, so there is no loss |
# | `labels=input_ids`, the usual fix | no error, another loss | the padding is learnt as if it were text |
#
# [The script, as written](../docs/tutorials/the-script-as-written.md) shows each of these
# with the original libraries and fixes it. Here we see the two reasons on our own parts.
# Texts differ in length, but the rows of a table can't:

# %%
documents = [
    sentence + "."
    for sentence in mg.TinyWorld().text(20).replace("\n", " ").split(". ")
]
rows = [tokenizer.encode(document) for document in documents[:4]]
try:
    torch.tensor(rows)
except ValueError as error:
    print(f"ValueError: {error}")

# %% [markdown]
# And a model gives scores, not answers. The loss is a function of *two* things, scores and
# answers, so a model that gets only the text can't return it:

# %%
try:
    mg.next_token_loss(new_model()(torch.tensor([rows[0][:8]])))
except TypeError as error:
    print(f"TypeError: {error}")

# %% [markdown]
# The recipe `as-written` is that script, working: padded rows, an end token after each
# text, and -100 where there is nothing to predict, so the padding is not learnt. Here are
# four rows of a batch.

# %%
print(mg.RECIPES["as-written"].summary + "\n")
Path("documents.txt").write_text("\n".join(documents), encoding="utf-8")
script = mg.RunConfig.of(
    recipe="as-written",
    text="documents.txt",
    tokenizer="bpe:300",
    preset="pocket",
    context_length=64,
    device="cpu",
    out="runs/as-written",
)
run = mg.start_run(script, progress=False)
inputs, targets = run.data.batch(step=0, batch_size=4)
print(f"{len(run.history)} steps in 10 epochs")
for row in targets:
    n = (row >= 0).sum().item()
    print(f"a row: {n:2} tokens to predict, then {len(row) - n:2} times -100")
first, *_, last = run.history.column("loss")[1]
print(f"loss {first:.2f} at first, {last:.2f} at the end")

# %% [markdown]
# What do its *choices* cost? The same switches on the task of this lesson, beside the
# baseline:

# %%
choices = {
    "optimizer": ["adam"],
    "learning_rate": [0.001],
    "schedule": ["constant"],
    "warmup_steps": [0],
    "beta_2": [0.999],
    "weight_decay": [0.0],
    "clip_norm": [math.inf],
    "batch_size": [32],
}
as_written = mg.compare(choices, base, seeds=SEEDS, progress=False)
(name,) = as_written.trials
mean, spread = as_written.loss(name)
print(f"the script's choices     {mean:.3f} ± {spread:.3f}")
print(f"the baseline             {statistics.mean(baseline[:SEEDS]):.3f}")
print(
    f"... at a rate of {rates[1]}  "
    f"{statistics.mean(losses[f'learning_rate={rates[1]}']):.3f}"
)

# %% [markdown]
# For a model this small a rate of 0.001 is low, and that explains nearly all of it. For a
# *pretrained* GPT-2 it is high. A rate is good only for a model, a batch and a budget:
# measure it.
#
# ## What to set first
#
# | | setting | begin with | then |
# | --- | --- | --- | --- |
# | 1 | the loss | first value: that of guessing | if not, look for a mistake |
# | 2 | batch size | what fits into memory | smaller, if the steps are few |
# | 3 | learning rate | `mg.find_learning_rate` | three to five rates, factor 3 |
# | 4 | warm-up | 5 % of the steps, at most 100 | longer, if the loss jumps |
# | 5 | schedule | cosine to a tenth | linear to 0 does as well |
# | 6 | clipping, weight decay | 1 and 0.1 | leave them |
# | 7 | all else | the recipe | one switch at a time, several seeds |
#
# Without a search, 2e-3 to 3e-3 suits AdamW at width 128, and the rate is inversely
# proportional to the width; the recipes do that. Large models follow the same direction:
# from the smallest to the largest GPT-3, as the width grew from 768 to 12,288, the rate
# fell from 6e-4 to 0.6e-4, while the batch grew from 0.5 to 3.2 million tokens.
#
# ## What you have now
#
# | switch | what it changes | here |
# | --- | --- | --- |
# | learning rate | everything | first, and again after every change |
# | schedule, averaging | the noise at the end | one of the two |
# | warm-up, clipping | the worst moments | cheap insurance |
# | batch size | noise against number of updates | with the rate |
# | weight decay | learning by heart | in long runs |
# | optimizer | how a gradient becomes a step | each at its own rate |
# | label smoothing | what is asked for | not for probabilities |
# | accumulation, checkpointing, 16 bits | memory and time | the same result |
#
# On the command line: `minigpt compare optimizer=adamw,muon --seeds 3`. The update rules
# are one file each in `minigpt/training/optim/`; `minigpt/training/schedule.py` has the
# schedules.
