# %% [markdown]
# # Inside the model: find a circuit, find a bias
#
# A trained model consists of matrices, and nobody has written down what they do. Two
# questions can still be answered. *How does it do it?* Which parts of the model compute
# the answer? And *what has it picked up?* What has it learnt from its text that nobody
# wanted? There are methods for both, and a method has to be tested where the truth is
# known. Here you
#
# - train a model that copies what repeats, and read everything that it computes;
# - find the heads that copy by a score, and show that the model needs them and not the
#   others;
# - find the second half of the circuit by activation patching;
# - split a logit into what each part of the model adds to it;
# - plant a bias of known strength in a text, measure it in a model, and reduce it.
#
# About 35 minutes. You need attention and the residual stream, as in [The Transformer
# block and GPT](06-transformer-block-and-gpt.ipynb).

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
# The text is random tokens that repeat: after $P$ of them, the same ones follow in the
# same order, and $P$ is drawn anew for each batch. In the first round nothing can be
# predicted. After it everything can, by one rule: *find the earlier copy of the token, and
# predict what came after it.* The answer is nowhere but in the context.

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
# The loss that is left is that of the first round, where there is nothing to copy. It
# changes from batch to batch, because $P$ does. The mean of 20 steps shows the trend:

# %% mystnb={"image": {"alt": "The loss falls, stays near 3.1 nats for a while, and falls again."}}
window = min(20, STEPS)
means = torch.tensor(losses).unfold(0, window, 1).mean(1)

figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(losses, alpha=0.3, label="each step")
axes.plot(range(window - 1, STEPS), means, color="C0", label="mean of 20 steps")
axes.set(xlabel="step", ylabel="loss, nats per token", ylim=(0, None))
axes.legend()
figure.tight_layout()

# %% [markdown]
# The loss does not fall evenly. It stays near 3.1 nats for almost a hundred steps, and then
# falls again. Up to there the model has learnt only that a token which has occurred is
# likelier than one which has not. Copying takes two parts, as we shall see, and each is of
# little use without the other.
#
# ## Read every activation
#
# `mg.look` runs the model once and records everything that it computes, by name. Users of
# TransformerLens know these names. The tokens are 16 different ones, and the same 16 again.

# %%
period = LENGTH // 2
ids = microscope.repeated_tokens(
    VOCABULARY, period, n_sequences=64, generator=torch.Generator().manual_seed(1)
)
record = mg.look(model, ids)
print(record)

# %% [markdown]
# `record.attention[l]` has the attention weights of layer $l$, `record.residual[l]` the
# residual stream that enters it. The logits in the record are those of the model: recording
# changes nothing.

# %%
torch.testing.assert_close(record.logits, model(ids).detach())
torch.testing.assert_close(record.attention[0].sum(-1), torch.ones(64, 4, LENGTH))

# %% [markdown]
# The loss of each token shows that the model copies:

# %% mystnb={"image": {"alt": "The loss by position: about 3.8 nats in the first half, near 0 in the second."}}
per_token = microscope.token_losses(record.logits, ids).mean(0)

figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(per_token)
axes.axvline(period, color="black", linestyle=":")
axes.set(xlabel="position", ylabel="loss, nats", ylim=(0, None))
figure.tight_layout()

# %% [markdown]
# A guess among 32 tokens has a loss of $\ln 32 = 3.47$ nats. In the first round the model
# is a little worse than that: it expects tokens to come again, and here none does yet. In
# the second round it takes three tokens to be sure; then its loss is about 0.1. The
# difference between the two rounds is the **in-context gain**, in nats per token:

# %%
microscope.in_context_gain.equation

# %% [markdown]
# ## Find the heads by a score
#
# An **induction head** attends, from a token, to the token *after* its earlier copy. On
# tokens that repeat after $P$ positions, the weights that do so form a diagonal, $P - 1$
# positions back, and their mean is the score:

# %%
microscope.induction_score.equation

# %% [markdown]
# In the table, `previous` is the mean weight of the token before, and `duplicate` that of
# the earlier copy itself:

# %%
scores = microscope.head_scores(model, generator=torch.Generator().manual_seed(2))
print(scores)
induction_heads = scores.heads("induction")
print("induction heads:", induction_heads)
assert QUICK or {layer for layer, _ in induction_heads} == {1}

# %% [markdown]
# The induction heads are in layer 1, counted from 0. In layer 0 no head stands out: the
# highest score there is that of head 0 for the previous token, and it is only 0.2. Here are
# the weights of that head and of an induction head, both on the first sequence. In the
# second round, the weights of the induction head are $P - 1 = 15$ positions below the main
# diagonal:

# %% mystnb={"image": {"alt": "Two attention maps: a pale band on the diagonal; a dark line far below it."}}
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4))
for axes, (layer, head) in zip(panels, [(0, 0), *induction_heads], strict=False):
    axes.imshow(record.attention[layer][0, head], cmap="Blues", vmin=0, vmax=1)
    axes.set(title=f"layer {layer}, head {head}", xlabel="key", ylabel="query")
figure.tight_layout()

# %% [markdown]
# ## Does the model need them?
#
# Attention weights prove nothing yet: later parts may ignore what a head writes. So take
# heads away, which is called **ablation**. `ablate` replaces what a head writes by its mean
# over random tokens. A mean is closer to what the rest of the model is used to than zeros,
# and it says nothing about the context. Here are the in-context gains that are left, in
# nats per token:


# %%
def gain_without(heads, model=model):
    """The in-context gain without some heads, in nats per token."""
    generator = torch.Generator().manual_seed(3)
    tokens = torch.randint(VOCABULARY, (64, LENGTH), generator=generator)
    reference = mg.look(model, tokens, "*hook_z")
    edits = microscope.ablate(heads, "mean", reference)
    logits = microscope.run_with(model, ids, edits).logits
    losses = microscope.token_losses(logits, ids)
    return microscope.in_context_gain(losses, period).mean().item()


def print_gains(heads, model):
    """The gain of the whole model, and without some of its heads."""
    layers = {layer for layer, _ in heads}
    rest = [(layer, h) for layer in layers for h in range(4) if (layer, h) not in heads]
    rows = {"the whole model": [], "without the induction heads": heads}
    rows["without the other heads of that layer"] = rest
    rows |= {f"without head {head} of layer 0": [(0, head)] for head in range(4)}
    for name, removed in rows.items():
        print(f"{name:<40}{gain_without(removed, model):6.3f}")


print_gains(induction_heads, model)

# %% [markdown]
# Without the induction heads, about nine tenths of the gain are gone. Without the other
# heads of their layer, all of it stays. That is what it means to *need* a part. The last
# four rows are a surprise: the model needs head 0 of layer 0 just as much, although its
# scores are low. Is this the luck of one seed? Two more:

# %%
for seed in (1, 2):
    other, _ = copying_model(seed, STEPS)
    found = microscope.head_scores(other, generator=torch.Generator().manual_seed(2))
    print(f"\nseed {seed}: induction heads {found.heads('induction')}")
    print_gains(found.heads("induction"), other)

# %% [markdown]
# All three models need their induction heads, and all three need head 0 of layer 0. That it
# is always head 0 has a reason: positions come in by ALiBi here, which gives this head the
# steepest slope, so it is the one that attends to the nearest tokens.
#
# ## The other half of the circuit
#
# How does an induction head find the token *after* the earlier copy? It compares its query
# with a key at each position, so the key at that position must say: *the token before me
# was this one.* Only layer 0 can have written it there. **Activation patching** tests this.
# Take two sequences:
#
# - clean: … A B … A, and the answer is B;
# - corrupt: the first A is replaced by another token, so there is nothing to find.
#
# Run the model on the corrupt one, but with what *one* head writes taken from the clean
# run. If the answer comes back, that head carries what was missing. The recovery is 1 where
# the answer is fully back and 0 where nothing changed:

# %%
microscope.recovery.equation

# %%
place = 5  # of the first A; the second is the last token
clean = ids[:, : period + place + 1]
answer = clean[:, place + 1]
corrupt = clean.clone()
corrupt[:, place] = (corrupt[:, place] + 1) % VOCABULARY
assert torch.equal(clean[:, place], clean[:, -1])

metric = microscope.log_probability(answer)
by_head = microscope.patch(
    model, clean, corrupt, metric, site="attn.hook_z", over="head"
)
print(by_head)

# %% [markdown]
# Three heads carry it: head 0 of layer 0, and the induction heads of layer 1. All other
# entries are about 0. And at which position? Now patch one position of all the heads of a
# layer:

# %%
by_position = microscope.patch(
    model, clean, corrupt, metric, site="attn.hook_z", over="position"
)
for layer, position in (by_position.values.abs() > 0.2).nonzero().tolist():
    value = by_position.values[layer, position]
    print(f"layer {layer}, position {position:2}: recovery {value:.2f}")
print(f"A at positions {place} and {clean.shape[1] - 1}, B at position {place + 1}")

# %% [markdown]
# In layer 0 it is the position of B: there head 0 writes which token came before. In layer
# 1 it is the last position, where the induction heads copy B. Each brings back the whole
# answer. The scores did not show the first step, since head 0 spreads its weight over
# several tokens and gives only a fifth to the one before. A score says where a head
# attends; patching says what is *used*. This is the whole circuit: *write down which token
# came before; then find the position where that token is your own.*
#
# Which parts read from which can be tested as well: `microscope.patch_path` changes what
# one part writes for *one* reader only, while everything else stays.
#
# ## What each part adds to the answer
#
# The last residual stream is the sum of the embedding and of what each head and each MLP
# has written. Only the final norm keeps a logit from being a sum over the same parts. With
# the norm's divisor frozen at its value in this run, it is one: the logit of the right
# answer, less that of a wrong one, splits into parts that add up to it exactly. This is
# **direct logit attribution**:

# %%
wrong = (answer + 7) % VOCABULARY
parts = microscope.attribute(model, clean, answer, wrong)
print(parts)

# %% [markdown]
# The last two rows are equal: the sum of the parts, and the difference of the logits that
# the model computed. The induction heads add 3.0 of the 8.0, and the MLP after them adds
# another 4.0. Head 0 of layer 0 adds almost nothing directly: what it writes is read by
# layer 1.
#
# The **logit lens** shows at which layer the answer appears. It applies the final norm and
# the output head to the stream before each layer, and to the last one. Here is the
# log-probability of the answer:

# %%
lens = microscope.logit_lens(model, clean)
targets = torch.cat([clean[:, 1:], answer[:, None]], dim=1)
values = lens.log_probabilities(targets)[:, :, -1].mean(1)
for name, value in zip(
    ["before layer 0", "before layer 1", "last"], values, strict=True
):
    print(f"{name:<14} {value:7.2f} nats")

# %% [markdown]
# Before layer 1 the answer is no likelier than a guess, $-3.47$: layer 1 finds it.
#
# ## A bias, planted
#
# The second question is what a model has picked up. A model trained on real text has
# biases, but nobody knows how large they are, so nobody can tell whether a measurement of
# them is right. In a text that we generate ourselves, a bias can be known. Here half of the
# places are likelier after a name of group A, by a gap of one nat ($e$ times as likely),
# and the other half after a name of group B:

# %%
GAP = 1.0
world = PlantedWorld(GAP)
print(world.text(4).strip())
print("the planted gaps:", world.truth)
print("some pairs, A and B:", list(world.partners.items())[:3])

# %% [markdown]
# A **counterfactual pair** consists of two texts that differ in the name and in nothing
# else. The gap is the difference of the log-probabilities of the same place, the tokens
# $x_1 \dots x_n$, after the two names:

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

# %% mystnb={"image": {"alt": "Two rows of points: places X near a gap of plus one nat, places Y near minus one."}}
figure = report.plot()
figure.axes[0].margins(y=0.5)
figure.set_size_inches(6, 2)
figure

# %% [markdown]
# The planted gap comes out, with its sign, in both groups. The interval comes from a
# **bootstrap**: the pairs that were asked are drawn again and again, with replacement, and
# 95 % of the means are in the interval. It does not quite contain the planted gap, and it
# need not: it says how much the mean depends on *which pairs* were asked of this model, and
# not how closely 300 steps of training have fitted the text.
#
# ## A bias, reduced
#
# **Counterfactual data augmentation** puts every story into the training text twice, as it
# was and with the names swapped. Then a name no longer says anything about the place:

# %%
fairer = planted_model(augmented=True)
reduced = counterfactual_gaps(fairer, tokenizer, world.pairs(), progress=False)
print(reduced)

before, after = (abs(each.intervals["places X"].mean) for each in (report, reduced))
print(f"\nleft of the gap: {after / before:.1%}")
assert QUICK or after < 0.1 * before

# %% [markdown]
# Both gaps are now below a thousandth of a nat. One interval still misses 0, by less than
# that. Its $p$ says how often the mean would be as far from 0 if each gap were as likely to
# have the other sign: more often than 1 time in 20. And two groups are two chances of a
# false alarm, so **Holm's correction**, in the last column, raises the $p$ further.
#
# What does it cost? In new stories of the same world the names do say something about the
# place, and the new model no longer uses it. So its loss on them is higher, by what a name
# is worth: $\ln 2 - H(\sigma(g))$ nats a story, where $\sigma(g) = 1 / (1 + e^{-g})$ is the
# probability of the likelier half and $H$ the entropy of the choice between the halves.

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
# Here everything was known: the job, the rule, the strength of the bias. That makes the
# methods trustworthy, and it limits what was shown. In a large model several circuits may
# do the same job, and other heads may take over from those that are ablated. A gap is a
# statement about the pairs that were asked. [What a fairness figure can and can't
# say](../docs/explanation/what-a-fairness-figure-says.md) explains this, with pairs in
# English and Chinese.
#
# **Try it yourself.** 1. Train the copying model with one layer. What happens to the
# in-context gain? 2. Ablate heads 1, 2 and 3 of layer 0 together. Does the model need them?
# 3. Plant a gap of 0. What do the intervals say?
#
# <details>
# <summary>Answers</summary>
#
# 1. About 1 nat of 3.5 is left. In one layer no head can read what another one has written,
#    so no key says which token came before. But the model can see which tokens have
#    occurred, and only those come again: 16 of 32. Its loss stays near that of the pause,
#    at about 2.9.
# 2. `gain_without([(0, 1), (0, 2), (0, 3)])` is about 2.8: less than 3.5, but most of it.
# 3. With `world = PlantedWorld(0.0)` and the same lines, both means are less than 0.001
#    nats, both intervals contain 0, and Holm's $p$ is 0.9. The method does not find a gap
#    where there is none.
#
# </details>
#
# ## What you have now
#
# `mg.look` reads everything that a model computes; `run_with`, `ablate` and `patch` change
# it and show what follows; scores, lens and attribution have an equation each; and the
# probe for gaps has been tested on a known one. All of it works on any GPT of the library,
# your own or GPT-2: [Look inside your model](../docs/howto/look-inside-your-model.md).
