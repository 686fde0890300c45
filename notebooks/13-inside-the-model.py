# %% [markdown]
# # Inside the model: find a circuit, find a bias
#
# A trained model is a few matrices, and nobody wrote down what they do. Two questions can
# be asked of it all the same. *How does it do it?* – which parts of the model compute the
# answer. And *what has it picked up?* – what it has learnt from its text that nobody
# wanted. Both have instruments, and an instrument has to be tested on something whose
# truth is known. Here you
#
# - train a model that copies what repeats, and look at everything that it computes;
# - find the heads that do it by a score, and show that the model needs them and not the
#   others;
# - find the second half of the circuit by patching;
# - split a logit into what each part of the model adds to it;
# - plant a bias of known strength in a text, measure it in a model, and reduce it.
#
# About 35 minutes. You need to know what attention and the residual stream are: [The
# Transformer block and GPT](06-transformer-block-and-gpt.ipynb).

# %%
import os

import matplotlib.pyplot as plt
import torch

import minigpt as mg
from minigpt import microscope
from minigpt.evaluation.fairness import PlantedWorld, counterfactual_gaps
from minigpt.training import split_loss

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
plt.rcParams["figure.dpi"] = 40 if QUICK else 110

# %% [markdown]
# ## A model with one job
#
# The text is random tokens that come again: after $P$ of them, the same ones follow in the
# same order, and $P$ is drawn anew for each batch. In the first round nothing can be
# predicted. From then on everything can, by one rule: *find where the token stood before,
# and say what came after it.* Nothing but the context tells the answer.

# %%
VOCABULARY, LENGTH = 32, 32


def repeating(generator, n_sequences=64):
    """Random tokens that repeat after 6 to 16 positions."""
    period = int(torch.randint(6, LENGTH // 2 + 1, (), generator=generator))
    first = torch.randint(VOCABULARY, (n_sequences, period), generator=generator)
    return first.repeat(1, LENGTH // period + 1)[:, :LENGTH]


config = mg.GPTConfig(
    vocab_size=VOCABULARY,
    context_length=LENGTH,
    n_layers=2,
    n_heads=4,
    d_model=64,
    d_hidden=64,
    position="alibi",
    norm="rms",
    bias=False,
    init_std=0.1,
)


def copying_model(seed, steps):
    generator = torch.Generator().manual_seed(seed)
    model = mg.GPT(config, generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98))
    losses = []
    for step in range(steps):
        ids = repeating(generator)
        loss = mg.next_token_loss(model(ids)[:, :-1], ids[:, 1:])
        optimizer.param_groups[0]["lr"] = 3e-3 * min(
            1, (step + 1) / 50, (steps - step) / (steps / 4)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


STEPS = 4 if QUICK else 400
model, losses = copying_model(seed=0, steps=STEPS)
print(f"loss {losses[0]:.2f} at the first step, {losses[-1]:.2f} at the last")

# %% [markdown]
# The loss that is left is that of the first round, in which there is nothing to copy. Step
# by step:

# %% mystnb={"image": {"alt": "The loss falls, pauses at about 3.1 nats, and falls again."}}
figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(losses)
axes.set(xlabel="step", ylabel="loss, nats per token", ylim=(0, None))
figure.tight_layout()

# %% [markdown]
# The loss does not fall evenly. It pauses for a while at about 3.1 nats, and then falls
# again: something had to be put together that is of no use before it is whole.
#
# ## Look
#
# `mg.look` runs the model once and keeps everything that it computes, by name. The names
# are those that users of TransformerLens know.

# %%
period = LENGTH // 2
ids = microscope.repeated_tokens(
    VOCABULARY, period, n_sequences=64, generator=torch.Generator().manual_seed(1)
)
record = mg.look(model, ids)
print(record)

# %% [markdown]
# `record.attention[l]` has the weights of layer $l$, `record.residual[l]` the stream that
# enters it. The logits in the record are those of the model: looking changes nothing.

# %%
torch.testing.assert_close(record.logits, model(ids).detach())
torch.testing.assert_close(record.attention[0].sum(-1), torch.ones(64, 4, LENGTH))

# %% [markdown]
# The loss of each token shows the job being done. In the first round it is that of
# guessing among 32 tokens, $\ln 32 = 3.47$ nats, and in the second it is nearly 0:

# %% mystnb={"image": {"alt": "The loss per position: high in the first half, near zero in the second."}}
per_token = microscope.token_losses(record.logits, ids).mean(0)

figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(per_token)
axes.axvline(period, color="black", linestyle=":")
axes.set(xlabel="position", ylabel="loss, nats", ylim=(0, None))
figure.tight_layout()

# %% [markdown]
# The difference between the two rounds is the **in-context gain**: what the model gets out
# of its context, in nats per token.

# %%
microscope.in_context_gain.equation

# %% [markdown]
# ## Find the heads by a score
#
# An **induction head** looks, from a token, at the token *after* its earlier copy. On
# tokens that repeat after $P$ positions that is a diagonal of the attention weights,
# $P - 1$ positions back, and its mean is the score:

# %%
microscope.induction_score.equation

# %%
scores = microscope.head_scores(model, generator=torch.Generator().manual_seed(2))
print(scores)
induction_heads = scores.heads("induction")
print("induction heads:", induction_heads)
assert QUICK or {layer for layer, _ in induction_heads} == {1}

# %% [markdown]
# The induction heads are in layer 1, counted from 0. In layer 0 no head stands out: the
# highest score there is that of head 0 for the previous token, and it is only 0.2. Here are
# the weights of that head, and of an induction head, whose diagonal is $P - 1$ positions
# below the main one:

# %% mystnb={"image": {"alt": "Two attention maps: one near the diagonal, one with a line far below it."}}
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4))
for axes, (layer, head) in zip(panels, [(0, 0), (1, 2)], strict=True):
    axes.imshow(record.attention[layer][0, head], cmap="Blues", vmin=0, vmax=1)
    axes.set(title=f"layer {layer}, head {head}", xlabel="key", ylabel="query")
figure.tight_layout()

# %% [markdown]
# ## Does the model need them?
#
# A picture proves nothing: a head may look where it likes, and nobody may read what it
# writes. So take heads away. `ablate` replaces what they write by its mean over random
# tokens, so that the rest of the model gets something that it is used to.


# %%
def gain_without(heads, model=model):
    """The in-context gain without some heads, in nats per token."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(VOCABULARY, (64, LENGTH), generator=generator)
    usual = mg.look(model, tokens, "*hook_z")
    edits = microscope.ablate(heads, "mean", usual)
    logits = microscope.run_with(model, ids, edits).logits
    losses = microscope.token_losses(logits, ids)
    return microscope.in_context_gain(losses, period).mean().item()


others = [(1, head) for head in range(4) if (1, head) not in induction_heads]
whole = gain_without([])
print(f"the whole model                         {whole:6.3f} nats per token")
print(f"without the induction heads             {gain_without(induction_heads):6.3f}")
print(f"without the other heads of that layer   {gain_without(others):6.3f}")
for head in range(4):
    print(
        f"without head {head} of layer 0              {gain_without([(0, head)]):6.3f}"
    )

# %% [markdown]
# Without the induction heads nearly all of the gain is gone. Without the others of their
# layer all of it stays. That is what it means to *need* a part. And the last four rows are
# a surprise: the model needs head 0 of layer 0 just as much, which no score has pointed
# out. Before we ask what it does: is it the luck of one seed? Twice more:

# %%
for seed in (1, 2):
    other, _ = copying_model(seed, STEPS)
    found = microscope.head_scores(other, generator=torch.Generator().manual_seed(2))
    heads = found.heads("induction")
    layers = {layer for layer, _ in heads}
    rest = [(layer, h) for layer in layers for h in range(4) if (layer, h) not in heads]
    print(
        f"seed {seed}: induction heads {heads}, gain {gain_without([], other):.3f}, "
        f"without them {gain_without(heads, other):.3f}, "
        f"without the rest of the layer {gain_without(rest, other):.3f}"
    )

# %% [markdown]
# ## The other half of the circuit
#
# How does an induction head know *which* token came after the earlier copy? When it
# compares its token with those before, it has to find the position after the copy, so
# that position must say: *the token before me was this one.* Only layer 0 can have written
# it there. **Activation patching** asks whether it is so. Take two sequences:
#
# - clean: … A B … A, and the answer is B;
# - corrupt: the first A is another token, so that there is nothing to find.
#
# Run the corrupt one, but with what *one* head writes taken from the clean run. If the
# answer comes back, that head carries what was missing. The recovery is 1 where it is back
# and 0 where nothing changed:

# %%
microscope.recovery.equation

# %%
clean = ids[:, : period + 6].clone()
answer, place = clean[:, 6], 5  # the token at place 5 comes again at the end
corrupt = clean.clone()
corrupt[:, place] = (corrupt[:, place] + 1) % VOCABULARY
assert torch.equal(clean[:, place], clean[:, -1])

patching = microscope.patch(
    model,
    clean,
    corrupt,
    microscope.log_probability(answer),
    site="attn.hook_z",
    over="head",
)
print(patching)

# %% [markdown]
# Three heads carry it: head 0 of layer 0, and the induction heads of layer 1. All other
# entries are about 0. So head 0 is the one that tells a position what came before it, and
# its attention shows it only on second sight: a fifth of its weight is enough for the token
# before, if the rest cancels out. A score of attention says where a head looks; patching
# says what is *used* of it. This is the circuit, in two steps: *write down which token came
# before you; then look for the position whose predecessor is your own token.*
#
# Which parts of it talk to each other can be asked as well: `microscope.patch_path` changes
# what one part writes for *one* reader only, while everything else stays.
#
# ## What each part adds to the answer
#
# The last residual stream is a sum, of the embedding and of what each head and each MLP
# has written, and a logit is nearly a sum over them: only the final norm stands between.
# With its divisor held at its value, the logit of the right answer, less that of another
# token, splits into parts that add up to it exactly. This is **direct logit attribution**:

# %%
wrong = (answer + 7) % VOCABULARY
parts = microscope.attribute(model, clean, answer, wrong)
print(parts)

# %% [markdown]
# The last two rows are the same number: the sum of the parts, and what the model says. The
# induction heads write the answer, and the MLP after them makes it louder; the head of
# layer 0 has no part in it directly, since what it writes is for layer 1 to read. The
# **logit lens** shows when the answer is there. It applies the final norm and the head to
# the stream before each layer, and to the last one; here is the log-probability of the
# answer:

# %%
lens = microscope.logit_lens(model, clean[:4])
targets = torch.cat([clean[:4, 1:], answer[:4, None]], dim=1)
print(lens.log_probabilities(targets)[:, :, -1].mean(1))

# %% [markdown]
# ## A bias, planted
#
# The second question is what a model has picked up. A model trained on a real text has
# biases, but nobody knows how large they should come out, so nobody can say whether the
# instrument reads right. Our tiny world can have one that is known. In this one, half of
# the places are likelier after a name of one group, by a gap of one nat, and the other half
# after a name of the other:

# %%
GAP = 1.0
world = PlantedWorld(GAP)
print(world.text(4))
print(world.truth)
print(list(world.partners.items())[:3])

# %% [markdown]
# A **counterfactual pair** changes the name and nothing else. The gap is the difference of
# the log-probabilities of the same words after it:

# %%
mg.equations.get("counterfactual-gap")

# %%
STORIES = 200 if QUICK else 10_000
tokenizer = world.tokenizer()


def planted_model(augmented):
    data = world.rows(tokenizer, STORIES, augmented=augmented)
    shape = mg.GPTConfig(
        vocab_size=tokenizer.vocab_size,
        context_length=data.context_length,
        d_model=32,
        n_layers=1,
        n_heads=2,
    )
    how = mg.TrainConfig(
        steps=4 if QUICK else 300,
        batch_size=16 if QUICK else 256,
        optimizer="muon",
        learning_rate=0.03,
        final_learning_rate=0.0,
        weight_decay=0.0,
        eval_every=0,
    )
    gpt = mg.GPT(shape, generator=torch.Generator().manual_seed(0))
    mg.train(gpt, data, how, progress=False)
    return gpt


biased = planted_model(augmented=False)
report = counterfactual_gaps(biased, tokenizer, world.pairs(), progress=False)
print(report)

# %% mystnb={"image": {"alt": "Two rows of points, one around plus one nat and one around minus one."}}
figure = report.plot()

# %% [markdown]
# The planted gap comes out, with its sign, in both groups. The interval says how sure that
# is: it comes from drawing the *items* again and again, not the tokens, since what could
# have been otherwise is which pairs were asked.
#
# ## A bias, reduced
#
# **Counterfactual augmentation** trains on every story twice, as it was and with the names
# swapped. Then a name no longer tells anything of the place:

# %%
fairer = planted_model(augmented=True)
reduced = counterfactual_gaps(fairer, tokenizer, world.pairs(), progress=False)
print(reduced)

before, after = (abs(each.intervals["places X"].mean) for each in (report, reduced))
print(f"\nleft of the gap: {after / before:.1%}")
assert QUICK or after < 0.1 * before

# %% [markdown]
# What does it cost? On new stories of the same world, where the names do tell something,
# the model is now worse at guessing the place. By how much can be computed: the name is
# worth $\ln 2 - H(\sigma(g))$ nats a story, where $\sigma(g)$ is the share of the likelier
# half.

# %%
N_NEW = 200 if QUICK else 4000
new = world.rows(tokenizer, N_NEW, start=20_000)
costs = [split_loss(each, new).nats / N_NEW for each in (biased, fairer)]
print(f"as it was   {costs[0]:.3f} nats a story")
print(f"augmented   {costs[1]:.3f} nats a story")
print(f"the cost    {costs[1] - costs[0]:.3f}, computed {world.augmentation_cost:.3f}")

# %% [markdown]
# ## What this says, and what it does not
#
# Here everything was known: the job, the circuit, the strength of the bias. That is what
# makes the instruments trustworthy, and it is also the limit of what was shown. In a large
# model a circuit that is needed for one kind of text may not be the only one, and heads
# that are taken away can be replaced by others. A gap is a statement about the pairs that
# were asked. [What a fairness figure can and can't
# say](../docs/explanation/what-a-fairness-figure-says.md) goes through it, with pairs in
# English and Chinese.
#
# **Try it yourself.** 1. Train the model of the first part with one layer. What becomes of
# the in-context gain? 2. Take away heads 1, 2 and 3 of layer 0 together. Does the model
# need them? 3. Plant a gap of 0. What does the interval say?
#
# <details>
# <summary>Answers</summary>
#
# 1. About 1 nat of 3.5 is left. In one layer no head can read what another one has written,
#    so none knows what came before a position. But it can tell which tokens have occurred,
#    and those are the ones that come again.
# 2. `gain_without([(0, 1), (0, 2), (0, 3)])` is about 2.8: less than 3.5, but most of it.
# 3. `PlantedWorld(0.0)` and the same lines: the intervals cover 0, or miss it by a few
#    thousandths. An interval for the mean over *these* pairs says nothing of other seeds.
#
# </details>
#
# ## What you have now
#
# `mg.look` for everything that a model computes; `run_with`, `ablate` and `patch` for what
# would happen if; scores, lens and attribution, each with its equation; and a probe for
# gaps that was tested on a known one. All of it works on any GPT of the library, your own
# or GPT-2: [Look inside your own model](../docs/howto/look-inside-your-model.md).
