# %% [markdown]
# # Autoregressive training: learning to say what comes next
#
# A language model is trained on one exercise, over and over: *given this, what comes
# next?* The answers are in the text itself. Here you
#
# - turn a text into exercises, and see why they cost nothing;
# - write the training loop in ten lines, and find the same losses as the library's, step
#   by step;
# - watch a model learn a language whose entropy is known, so that you see how far it has
#   come and how far it could go;
# - tell underfitting from overfitting by their curves;
# - draw cautious texts and bold ones from one and the same model;
# - give its quality in three units, and know which of them may be compared.
#
# About 35 minutes. You need to know what a logarithm is and what a derivative says. [The
# Transformer block and GPT](06-transformer-block-and-gpt.ipynb) explains what happens
# inside the model; here it is a box: token ids in, scores of the next token out.

# %%
import copy
import itertools
import math
import os
import re
from collections import Counter

import matplotlib.pyplot as plt
import torch

import minigpt as mg
from minigpt.generation import temperature_probabilities, top_k_filter, top_p_filter
from minigpt.text.tinyworld import task_rows
from minigpt.training import split_loss

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
plt.rcParams["figure.dpi"] = 40 if QUICK else 110

# %% [markdown]
# ## A world with a known entropy
#
# The texts come from the [tiny world](../docs/explanation/tiny-world.md): stories about
# who goes where and who has what. They are made by chance, with probabilities that are
# known. So one number is known that nobody knows of an ordinary text: the **floor**, the
# lowest loss that any model can have on average.

# %%
world = mg.TinyWorld(split="train")
held_out = mg.TinyWorld(split="validation")
print(world.story(0))
print(f"\nfloor: {held_out.floor().nats:.2f} nats a story")

# %% [markdown]
# A tokenizer cuts them into pieces, most of them words:

# %%
tokenizer = mg.BPETokenizer.train(world.text(500), vocab_size=640)
ids = tokenizer.encode("\n" + world.story(0))
pieces = [tokenizer.decode([i]) for i in ids]
print(pieces[:12])

# %% [markdown]
# ## The shift
#
# The inputs are the story without its last token, the targets the story without its
# first. No labels are needed: the text is its own answer sheet.

# %% mystnb={"image": {"alt": "Two rows of tokens; each target is one step to the left of itself as an input."}}
inputs, targets = ids[:-1], ids[1:]

figure, axes = plt.subplots(figsize=(7.4, 1.7), layout="constrained")
for t in range(8):
    for y, token, colour in ((0, inputs[t], "tab:blue"), (1, targets[t], "tab:orange")):
        label = tokenizer.decode([token]).replace("\n", "↵").strip(" ")
        box = {
            "boxstyle": "round,pad=0.3",
            "facecolor": colour,
            "alpha": 0.25,
            "edgecolor": "none",
        }
        axes.text(t, y, label, ha="center", va="center", fontsize=10, bbox=box)
    axes.annotate(
        "", (t, 0.72), (t, 0.28), arrowprops={"arrowstyle": "->", "color": "tab:gray"}
    )
axes.set(xlim=(-0.6, 7.6), ylim=(-0.4, 1.4), yticks=[0, 1], xticks=[])
axes.set_yticklabels(["input", "target"])
axes.spines[:].set_visible(False)
axes.tick_params(length=0)
plt.show()

# %% [markdown]
# A story of $n$ tokens is $n$ exercises, from "what comes after nothing but a line end?"
# to "what comes after all this?". Thanks to the causal mask, the model answers all of
# them in one pass.
#
# A batch has several stories. Shorter ones are filled up, and where there is nothing to
# predict the target is `-100`, which the loss leaves out.

# %%
CONTEXT = 128
# a new story in every row, without end
stories = task_rows("story", world, tokenizer, CONTEXT)
validation = task_rows("story", held_out, tokenizer, CONTEXT, 10 if QUICK else 60)

inputs, targets = stories.batch(step=0, batch_size=8)
print(
    "inputs ", tuple(inputs.shape), inputs[0, :6].tolist(), "…", inputs[0, -3:].tolist()
)
print(
    "targets",
    tuple(targets.shape),
    targets[0, :6].tolist(),
    "…",
    targets[0, -3:].tolist(),
)

# %% [markdown]
# ## The loss
#
# For one exercise the model gives a probability $p_i$ to each token $i$ of the
# vocabulary. The truth is a distribution too, if a simple one: $y_i$ is 1 for the token
# that came and 0 for all others. The loss compares the two:

# %%
mg.cross_entropy.equation

# %% [markdown]
# All terms but one are 0, which leaves $-\log p$ of the token that came: 0 if the model was
# sure and right, without bound if it was sure and wrong. A training step takes the mean
# over all positions $t$ of all rows $b$ that count:

# %%
mg.next_token_loss.equation


# %%
def new_model(**changes):
    shape = {
        "d_model": 64,
        "n_layers": 2,
        "n_heads": 4,
        "d_hidden": 256,
        "context_length": CONTEXT,
    }
    parts = {
        "position": "rope-half",
        "norm": "rms",
        "qk_norm": True,
        "mlp": "relu2",
        "bias": False,
    }
    config = mg.GPTConfig(
        **{"vocab_size": tokenizer.vocab_size, **shape, **parts, **changes}
    )
    return mg.GPT(config, generator=torch.Generator().manual_seed(0))


model = new_model()
with torch.no_grad():
    p = mg.softmax(model(inputs))

by_hand = []
for b, t in itertools.product(range(8), range(inputs.shape[1])):
    if targets[b, t] != -100:
        y = torch.zeros(tokenizer.vocab_size)
        y[targets[b, t]] = 1
        by_hand.append(mg.cross_entropy(y, p[b, t]).item())

loss = mg.next_token_loss(model(inputs), targets)
print(
    f"mean over {len(by_hand)} exercises, one by one: "
    f"{sum(by_hand) / len(by_hand):.4f} nats per token"
)
print(f"next_token_loss:                      {loss.item():.4f}")
print(
    f"guessing, log {tokenizer.vocab_size}:                    "
    f"{math.log(tokenizer.vocab_size):.4f}"
)
assert math.isclose(sum(by_hand) / len(by_hand), loss.item(), rel_tol=1e-4)

# %% [markdown]
# The untrained model gives all tokens about the same probability, so its loss is that of
# guessing.
#
# **Exercise: `next_token_loss`.** Write this loss without separate targets: $x$ holds the
# ids that the model has read, and the target of position $t$ is the id after it,
# $x_{b,t+1}$. All rows are full, so every target counts.
#
# $$
# L = -\frac{1}{B (T - 1)} \sum_{b=1}^{B} \sum_{t=1}^{T-1} \log(p_{bt,x_{b,t+1}}), \qquad
# p_{bti} = \frac{\exp(z_{bti})}{\sum_{k=1}^{V} \exp(z_{btk})}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def next_token_loss(logits, ids):
    """logits (B, T, V), ids (B, T) → a number, in nats per token."""
    # Your code.


reply = mg.check.next_token_loss(next_token_loss)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# How many predictions can be checked in a row of $T$ tokens?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# In $p_{bt,x_{b,t+1}}$ the logits of position $t$ meet the token of position $t + 1$.
# Which logits and which tokens are left over?
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
# ## One step
#
# `loss.backward()` finds for each of the model's numbers how the loss changes with it.
# You can check this. Take one number, nudge it a little to both sides, and measure:

# %%
# 64-bit numbers, so that a tiny nudge is not lost
exact = copy.deepcopy(model).double()
mg.next_token_loss(exact(inputs), targets).backward()
number = exact.blocks[0].mlp.expand.weight
derivative = number.grad[3, 5].item()

nudge, losses = 1e-4, []
for change in (nudge, -nudge):
    with torch.no_grad():
        number[3, 5] += change
        losses.append(mg.next_token_loss(exact(inputs), targets).item())
        number[3, 5] -= change

measured = (losses[0] - losses[1]) / (2 * nudge)
print(f"backward: {derivative:.8f}")
print(f"measured: {measured:.8f}")
assert math.isclose(derivative, measured, rel_tol=1e-3, abs_tol=1e-9)

# %% [markdown]
# A step then moves every number a little against its derivative. One trap is worth
# seeing. `backward` *adds* to what is already in `.grad`, so unless it is cleared, old
# gradients are mixed with new ones:

# %%
model.zero_grad()
for calls in (1, 2, 3):
    mg.next_token_loss(model(inputs), targets).backward()
    norm = math.sqrt(sum(q.grad.square().sum().item() for q in model.parameters()))
    print(f"{calls} x backward on the same batch: norm of .grad {norm:.3f}")
model.zero_grad()

# %% [markdown]
# ## The loop
#
# That is all one needs. Here is training from beginning to end, in ten lines:

# %%
STEPS = 10 if QUICK else 40

ours = new_model()
optimizer = torch.optim.Adam(ours.parameters(), lr=1e-3)
losses = []
for step in range(STEPS):
    inputs, targets = stories.batch(step, batch_size=8)  # the next exercises
    loss = mg.next_token_loss(ours(inputs), targets)  # how wrong the model is
    optimizer.zero_grad()  # forget the gradients of the last step
    loss.backward()  # how the loss changes with each number
    optimizer.step()  # move each a little, downhill
    losses.append(loss.item())

# %% [markdown]
# And the same by `mg.train`, with everything switched off that our loop does not have: no
# warm-up, a constant rate, no clipping, no weight decay.

# %%
plain = mg.TrainConfig(
    steps=STEPS,
    batch_size=8,
    optimizer="adam",
    beta_2=0.999,
    learning_rate=1e-3,
    schedule="constant",
    warmup_steps=0,
    clip_norm=math.inf,
    weight_decay=0,
    device="cpu",
)
history = mg.train(new_model(), stories, plain, progress=False)
library_losses = history.column("loss")[1]

for step in (0, 1, 4, STEPS - 1):
    print(
        f"step {step + 1:2}: our loop {losses[step]:.4f}, mg.train "
        f"{library_losses[step]:.4f}"
    )
torch.testing.assert_close(losses, library_losses, rtol=1e-4, atol=0)
print("the same losses, step by step")

# %% [markdown]
# The library's loop also has a schedule for the rate, accumulation, clipping, averages and
# checkpoints. Each is a few lines at one place of these ten. [Training
# strategy](08-training-strategy.ipynb) shows what they are good for.
#
# **Try it yourself.** 1. Which of the ten lines can you leave out so that the loss *still
# falls*? 2. What does the loss do if the targets are not shifted, so that the model is to
# say the token that it sees?
#
# <details>
# <summary>Answers</summary>
#
# 1. `optimizer.zero_grad()`. The gradients add up, which is like a very long memory: the
#    loss falls for a while, but the direction gets worse and worse.
# 2. It falls far below the floor, since there is nothing to predict; and the trained model
#    can only repeat the last word. A mean loss clearly below the floor, over many texts that
#    are new to the model, is always a mistake. (A single text may well be below: some
#    stories are more probable than others, as the picture "Story by story" shows.)
#
# ```python
# parrot = new_model()
# optimizer = torch.optim.Adam(parrot.parameters(), lr=1e-2)
# for step in range(15):
#     inputs, targets = stories.batch(step, batch_size=8)
#     loss = mg.next_token_loss(parrot(inputs), inputs.masked_fill(targets == -100, -100))
#     optimizer.zero_grad()
#     loss.backward()
#     optimizer.step()
#     if step % 7 == 0:
#         print(f"step {step + 1:2}: {loss.item():.3f}")
# ```
#
# </details>
#
# ## Watching a model learn
#
# Now with settings for real use: Muon as the optimizer, a warm-up, a rate that falls to 0.
# A *logger* gets a row of figures after every step. Ours lets the model tell a story now
# and then.


# %%
LONGEST = 5 if QUICK else 100  # tokens of a story


def a_story(model, temperature=1.0, seed=1):
    text = mg.generate(
        model,
        tokenizer,
        "\n",
        max_new_tokens=LONGEST,
        temperature=temperature,
        stop="\n",
        seed=seed,
    )
    return text.strip() or "(nothing)"


class Listener:
    def __init__(self, model, steps):
        self.model, self.steps = model, steps

    def log(self, row):
        if row["step"] + 1 in self.steps:
            print(
                f"step {row['step'] + 1}, loss {row['loss']:.2f}: "
                f"{a_story(self.model)[:230]}\n"
            )

    def close(self):
        pass


STEPS = 10 if QUICK else 700
settings = mg.TrainConfig(
    steps=STEPS,
    batch_size=8,
    optimizer="muon",
    learning_rate=0.02,
    final_learning_rate=0,
    eval_every=max(5, STEPS // 10),
    device="cpu",
)
model = new_model()
listener = Listener(model, steps=(1, 20, 60, 200, 700))
history = mg.train(
    model, stories, settings, validation=validation, progress=False, loggers=[listener]
)

# %% [markdown]
# First random tokens; then sentences of the right pattern, with mistakes; then sentences
# that are mostly correct but do not yet fit together. Grammar comes early. The positions
# and possessions of the people come late, because they depend on the whole story. The loss
# curve shows the same in numbers:

# %% mystnb={"image": {"alt": "The loss falls from guessing towards the floor."}}
history.plot(uniform=math.log(tokenizer.vocab_size), title="telling stories")

# %%
above = history.validation_loss / validation.floor - 1
print(
    f"validation {history.validation_loss:.4f}, floor {validation.floor:.4f} nats per "
    f"token: {above:.1%} above it"
)
assert QUICK or 0 < above < 0.6

# %% [markdown]
# A loss by itself says little. Two yardsticks help: the floor below, and above it the
# **ladder** of models that only count. Each rung predicts the same held-out stories.

# %% mystnb={"image": {"alt": "Bars in bits per byte: guessing, n-grams, compressors, the GPT nearest to the floor."}}
n = validation.n_rows
learnt, told = (
    tokenizer.encode("\n" + w.text(k)) for w, k in ((world, 20 * n), (held_out, n))
)
ladder = mg.ladder(
    learnt, told, tokenizer, model=model, rows=validation, floor=validation.floor
)
print(ladder)
assert QUICK or ladder.rungs["GPT"].nats < min(
    r.nats for k, r in ladder.rungs.items() if k not in ("GPT", "floor")
)
ladder.plot()

# %% [markdown]
# ## Story by story
#
# The world can say how probable each story is, exactly. So can the model: by the chain
# rule, the losses of a story's tokens add up to minus the logarithm of its probability.

# %%
split_loss.equation

# %% mystnb={"image": {"alt": "Points along the diagonal and above it: the model's nats against the world's."}}
true_nats, model_nats = [], []
for i in range(validation.n_rows):
    story = held_out.story(i)
    row = torch.tensor([tokenizer.encode("\n") + tokenizer.encode(story + "\n")])
    with torch.no_grad():
        model_nats.append(
            mg.next_token_loss(model(row[:, :-1]), row[:, 1:], reduction="sum").item()
        )
    true_nats.append(-held_out.log_prob(story))

figure, axes = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
axes.scatter(true_nats, model_nats, s=16, alpha=0.7)
axes.axline(
    (50, 50), slope=1, color="black", ls=":", label="as sure as the world itself"
)
axes.set(xlabel="-log p by the world (nats)", ylabel="-log p by the model (nats)")
axes.legend(frameon=False)
plt.show()
mean_true, mean_model = (
    sum(values) / len(values) for values in (true_nats, model_nats)
)
print(f"on average {mean_true:.2f} nats by the world, {mean_model:.2f} by the model")
print(f"single stories: {min(true_nats):.1f} to {max(true_nats):.1f} nats by the world")

# %% [markdown]
# Some stories are harder than others because they are longer or rarer, and the model
# knows it: the points follow the line. Their distance above it is what is still to be
# learnt, and $\log 4$ nats that can't be: which openings were held out ([The tiny world
# and its floor](../docs/explanation/tiny-world.md)).
#
# Are its stories consistent, too? The world can check that nobody gives away what they do
# not have, and that everyone is where they were last said to be:

# %%
anywhere = mg.TinyWorld(split="all")
told = [a_story(model, seed=seed) for seed in range(20)]
holds = sum(map(anywhere.holds, told))
print(
    f"after reading {8 * STEPS:,} stories: {holds} of {len(told)} of its own belong to "
    f"the tiny world"
)

# %% [markdown]
# That is a strict measure: one mistake in a story counts against all of it, and 700 steps
# are few, so expect none or hardly any. How far does each story get before its first
# mistake? The world names it:

# %%
reached, mistakes = [], []
for text in told:
    try:
        anywhere.parse(text)
        reached.append(1.0)
    except ValueError as error:
        reached.append(int(re.search(r"character (\d+)", str(error))[1]) / len(text))
        mistakes.append(str(error))
print(
    f"on average {sum(reached) / len(reached):.0%} of a story come before its first "
    f"mistake"
)
print("\n".join(mistakes[:3]))

# %% [markdown]
# A mistake of grammar is a word that no sentence can have at this place. In all others the
# sentence is correct, but does not fit what has to be remembered: who is where, and who has
# what. `minigpt demo` takes five times as many steps, each on four times as many stories,
# with the parts and settings of the recipe `story`, and says of its stories which are
# consistent and where the others go wrong.

# %% [markdown]
# ## Too little, too much
#
# **Underfitting**: the model is too small, or has not trained long enough.
# **Overfitting**: it learns its examples by heart instead of what they have in common.
# Three runs on the same language: a model that is too narrow; the one from above; and the
# one from above on forty stories that are repeated again and again.

# %% mystnb={"image": {"alt": "Underfitting, a good fit, and overfitting: training falls below the floor."}}
# the first forty stories, no more
few = task_rows("story", world, tokenizer, CONTEXT, 40)
runs = {}
for name, trained, data in (
    ("too small", new_model(d_model=8, n_heads=2, n_layers=1, d_hidden=16), stories),
    ("40 stories", new_model(), few),
):
    runs[name] = mg.train(
        trained, data, settings, validation=validation, progress=False
    )
runs = {
    "too small": runs["too small"],
    "endless stories": history,
    "40 stories": runs["40 stories"],
}


def smooth(values, over=20):
    return [
        sum(values[max(0, i - over) : i + 1]) / len(values[max(0, i - over) : i + 1])
        for i in range(len(values))
    ]


figure, three = plt.subplots(
    3, 1, figsize=(5.2, 6.6), layout="constrained", sharex=True, sharey=True
)
for axes, (name, run) in zip(three, runs.items(), strict=True):
    steps, losses = run.column("loss")
    axes.plot(steps, smooth(losses), label="training")
    axes.plot(*run.column("validation_loss"), "o-", ms=4, label="validation")
    axes.axhline(validation.floor, color="black", ls=":", label="floor")
    axes.set(title=name, ylim=(0, 4))
three[1].set(ylabel="loss (nats per token)")
three[2].set(xlabel="step")
three[0].legend(frameon=False)
plt.show()

for name, run in runs.items():
    seen = smooth(run.column("loss")[1])[-1]
    print(
        f"{name:16} training {seen:.2f}, validation {run.validation_loss:.2f} nats per "
        f"token"
    )
crammer = runs["40 stories"]
their_nats = sum(-world.log_prob(world.story(i)) for i in range(40))
their_tokens = sum(len(few.row(i).ids) - 1 for i in range(40))
own = their_nats / their_tokens
print(f"by the probabilities of the world, these forty have {own:.2f} nats per token")
assert QUICK or smooth(crammer.column("loss")[1])[-1] < own
assert (
    QUICK or crammer.validation_loss > min(crammer.column("validation_loss")[1]) + 0.1
)

# %% [markdown]
# | | training loss | validation loss | what helps |
# | --- | --- | --- | --- |
# | underfitting | high | the same | more steps, a larger model, a better rate |
# | good | near the floor | the same | – |
# | overfitting | falls, even **below the floor** | turns early, rises | more data, fewer steps, weight decay, dropout |
#
# A training loss below the nats that these stories have by the world's own probabilities
# is proof: no knowledge of the language can do that, only knowledge of these forty. Where
# the entropy is unknown, look at the gap between the curves, and at where validation turns.
#
# ## From probabilities to text
#
# The model gives a distribution; a text needs a choice. Take one distribution, after the
# first two sentences of a story that the model has never seen:

# %%
opening = ". ".join(held_out.story(2).split(". ")[:2]) + "."
prompt = torch.tensor([tokenizer.encode("\n" + opening)])
with torch.no_grad():
    logits = model(prompt)[0, -1]
print(opening, "…")

# %% [markdown]
# **Temperature** divides the logits before the softmax. Below 1 it sharpens, above 1 it
# flattens; at 0 only the most probable token is left.

# %%
temperature_probabilities.equation

# %% [markdown]
# **Top-k** keeps the $k$ most probable tokens, **top-p** as many as it takes to have the
# mass $\rho$; the rest is set to 0, and the kept probabilities are scaled to sum to 1.

# %%
top_k_filter.equation

# %%
top_p_filter.equation

# %% mystnb={"image": {"alt": "Six bar charts of one distribution: plain, sharper, flatter, greedy, cut."}}
ways = {
    "as it is": {},
    "temperature 0.5": {"temperature": 0.5},
    "temperature 2": {"temperature": 2.0},
    "temperature 0": {"temperature": 0.0},
    "top_k = 4": {"top_k": 4},
    "top_p = 0.8": {"top_p": 0.8},
}
order = logits.argsort(descending=True)[:10]
names = [tokenizer.decode([i]).strip() for i in order.tolist()]
figure, six = plt.subplots(
    3, 2, figsize=(6, 7.2), layout="constrained", sharex=True, sharey=True
)
for axes, (name, how) in zip(six.flat, ways.items(), strict=True):
    chosen = mg.Sampler(**how).probabilities(logits)
    axes.barh(range(10), chosen[order], color="tab:blue")
    axes.set_yticks(range(10), names)
    kept = (chosen > 0).sum().item()
    axes.set_title(
        f"{name}: {kept} {'token' if kept == 1 else 'tokens'} left", fontsize=10
    )
six[0, 0].invert_yaxis()
figure.supxlabel("probability", fontsize=10)
plt.show()

# %% [markdown]
# **Exercise: `sampling_probabilities`.** Write all three in this order: temperature
# $\tau$, top-k, top-p. Each works on the probabilities that the one before it has left,
# scaled to sum to 1. $r_i$ is the rank of token $i$, 1 for the most probable.
#
# $$
# p_i = \frac{\exp(z_i / \tau)}{\sum_{j} \exp(z_j / \tau)}, \qquad
# p'_i = \frac{\mathbb{1}[r_i \le k]\, p_i}{\sum_{j} \mathbb{1}[r_j \le k]\, p_j}, \qquad
# p''_i = \frac{\mathbb{1}[c_i < \rho]\, p'_i}{\sum_{j} \mathbb{1}[c_j < \rho]\, p'_j}, \qquad
# c_i = \sum_{j} \mathbb{1}[r_j < r_i]\, p'_j
# $$


# %%
def sampling_probabilities(logits, temperature, top_k, top_p):
    """logits (V,), and three numbers → (V,), in the order of the tokens."""
    # Your code.


reply = mg.check.sampling_probabilities(sampling_probabilities)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# The mass that top-p counts: is it that of the full distribution, or of the $k$ tokens
# that are left?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The mass $c_i = \sum_{j} \mathbb{1}[r_j < r_i]\, p'_j$ is that of the tokens *before*
# $i$. Is the token with which the mass reaches $\rho$ kept?
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
# What it does to stories:

# %%
for temperature in (0.0, 0.5, 1.0, 2.0):
    some = [a_story(model, temperature=temperature, seed=seed) for seed in range(5)]
    different = len(Counter(" ".join(some).split()))
    print(f"temperature {temperature}: {different:3} different words; {some[0][:90]}…")

# %% [markdown]
# At temperature 1 the model speaks as it believes the language is. The most probable word
# at each step does not give the most probable text, nor a typical one: a die that slightly
# favours 6 should not always show 6.
#
# Two more terms belong here. **Beam search** keeps the $b$ most probable beginnings instead
# of one, extends each by every token, and keeps the best $b$ again. It finds more probable
# texts than temperature 0 does, which helps where one answer is right, as in translation;
# stories and conversations get dull and repetitive (Holtzman et al. 2020,
# arXiv:1904.09751). A **key-value cache** saves time and changes no result: under the
# causal mask the keys and values of the tokens written so far never change, so a program
# that serves a model keeps them and computes only those of the new token. `mg.generate`
# has neither; it runs the whole text through the model for each token.
#
# **Exercise: `kv_cache_step`.** Write one step of one head with such a cache. It has
# the keys and values of the past, one a row; $x$ is the vector of the new token.
#
# $$
# K = [K_{past}; x W^K], \qquad V = [V_{past}; x W^V], \qquad
# o = \mathrm{softmax}\left(\frac{K (x W^Q)}{\sqrt{E}}\right)^\top V
# $$


# %%
def kv_cache_step(x, w_q, w_k, w_v, k_cache, v_cache):
    """x (D,), three (D, E), two (S, E) → out (E,), and both caches (S + 1, E)."""
    # Your code.


reply = mg.check.kv_cache_step(kv_cache_step)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# Does the new token attend to itself?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The matrix $K = [K_{past}; x W^K]$ has a row more than the cache. Where is the new
# row: before the oldest or after the latest?
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
# ## Three units
#
# The same quality in three units. All start from one number, the nats of the whole text
# under the model:

# %%
figures = mg.evaluate(model, validation, tokenizer)
nats, n_tokens, n_bytes = figures.nats, figures.n_tokens, figures.n_bytes
print(figures)
print(f"nats per token  {nats / n_tokens:.4f}")
print(f"perplexity      {math.exp(nats / n_tokens):.2f}")
print(f"bits per byte   {nats / math.log(2) / n_bytes:.4f}")

# %%
mg.Evaluation.bits_per_byte.fget.equation

# %% [markdown]
# **Perplexity** is the number of equally likely tokens among which a choice would be as
# hard. Both it and the nats per token depend on what a token *is*. The floor shows this,
# since it is the same knowledge of the same stories, however they are cut into tokens:

# %%
per_story = held_out.floor()
size = per_story.characters  # English letters, one byte each
cuts = {
    "characters": mg.CharTokenizer.train(world.text(500)),
    "BPE, 300 tokens": mg.BPETokenizer.train(world.text(500), vocab_size=300),
    "BPE, 640 tokens": tokenizer,
}
print(
    f"{'the floor, by tokenizer':24} tokens a story  nats per token  perplexity  bits "
    f"per byte"
)
for name, cut in cuts.items():
    floor = held_out.floor(cut, n_stories=300)
    per_token, bits = floor.nats_per_token, floor.nats / math.log(2) / size
    print(
        f"{name:24} {floor.tokens:14.1f}  {per_token:14.3f}  "
        f"{math.exp(per_token):10.2f}  {bits:13.4f}"
    )

# %% [markdown]
# All lines of this table describe the same knowledge; only the last column shows that.
# **Between tokenizers, compare bits per byte.**
#
# **Exercise: `perplexity`.** Compute both units for several texts. Each text has a
# tensor with the nats $\ell_i = -\log(p_i)$ of its tokens; $n$ counts the tokens and $b$
# the bytes of all texts together. $\ln$ is the natural logarithm.
#
# $$
# P = \exp\left(\frac{1}{n} \sum_{i=1}^{n} \ell_i\right), \qquad
# B = \frac{1}{b} \sum_{i=1}^{n} \frac{\ell_i}{\ln(2)}
# $$


# %%
def perplexity(losses, n_bytes):
    """Tensors, one a text, and the bytes of all → perplexity, bits per byte."""
    # Your code.


reply = mg.check.perplexity(perplexity)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# A long text and a short one: do their *texts* count the same, or their *tokens*?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# Perplexity has $\frac{1}{n} \sum_{i=1}^{n} \ell_i$, one mean over all tokens. What are
# the nats divided by in bits per byte?
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
# **Try it yourself.** 1. A model with the loss of guessing among 640 tokens: what is its
# perplexity? 2. Train on 400 stories instead of 40. Where does the validation loss turn? 3.
# Someone reports a perplexity of 1.2 for one model and 20 for another. Which is better?
#
# <details>
# <summary>Answers</summary>
#
# 1. 640, since $\exp(\log 640) = 640$.
# 2. Each story then comes a tenth as often; the curves separate later and less. Try it:
#    `task_rows("story", world, tokenizer, CONTEXT, 400)`.
# 3. You can't tell. The first may predict letters and the second words. Ask for bits per
#    byte, on the same text.
#
# ```python
# letters, pairs = (
#     held_out.floor(cuts[name], 300) for name in ("characters", "BPE, 640 tokens")
# )
# assert math.exp(letters.nats_per_token) < math.exp(pairs.nats_per_token)
# ```
#
# </details>
#
# ## What you have now
#
# Inputs and targets are one text, shifted. The loss is $-\log p$ of what came. A step
# asks for the gradient and moves against it. That is all of training; the rest is how to
# do it well, which is what [Training strategy](08-training-strategy.ipynb) measures. The
# loop of the library is `minigpt/training/loop.py`. On the command line: `minigpt train
# --task story --out runs/stories`, then `minigpt eval runs/stories`.
