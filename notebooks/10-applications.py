# %% [markdown]
# # One model, many uses
#
# Tell a story, translate, answer a question, hold a conversation: a language model has one
# ability, to continue a text, and does all of these with it. The difference is what the
# text looks like. Here you
#
# - see four applications as pairs of prompt and answer, in English and Chinese;
# - train on the answers alone, and see the mask that does it;
# - teach a small GPT to translate, and measure it by a strict mark: *right to the letter*;
# - compare it with a model that counts and one that only knows which words occurred;
# - see where it looked for each word that it wrote.
#
# About 35 minutes. You need to know how a GPT is trained:
# [Quickstart](00-quickstart.ipynb).

# %%
import math
import os

import matplotlib.pyplot as plt
import torch

import minigpt as mg
from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.tinyworld import TASKS, encode_parts, task_text
from minigpt.text.tinyworld.phrases import PHRASES
from minigpt.text.tinyworld.words import COLOURS, PEOPLE

QUICK = bool(os.environ.get("MINIGPT_QUICK"))

# %% [markdown]
# ## Everything is a text to continue
#
# The texts come from a tiny world made for this: people who move around with things, in
# endlessly many stories, each in English and in Chinese. Its language is simple enough that
# every question has *one* right answer, and large enough that a model can't learn the
# answers by heart. [The tiny world and its floor](../docs/explanation/tiny-world.md)
# describes it.
#
# Four applications, one example of each. The prompt is shown plain, the expected answer in
# brackets. (Speech recognition, which the document also names, needs sound as input; this
# course stays with text.)

# %%
world = mg.TinyWorld(split="test")


def marked(parts):
    pieces = []
    for part in parts:
        text, end = (
            part.text.removesuffix("\n"),
            "\n" if part.text.endswith("\n") else "",
        )
        pieces.append(text + end if part.kind is None else f"⟦{text.strip()}⟧{end}")
    return "".join(pieces)


for name, task in TASKS.items():
    print(f"── {name}: {task.summary} ──")
    print(marked(task.example(world, 2)).strip(), end="\n\n")

# %% [markdown]
# The first Transformer was made for translation and had two halves, an encoder that read
# one language and a decoder that wrote the other and looked up the first by
# cross-attention. Here there is one half: prompt and answer are one text, and attention to
# the prompt is attention to the past. Nothing in the model says "translation"; the words
# *Translate to Chinese:* do.
#
# ## Only the answer counts
#
# We take translation, and to save time one direction only, from English to Chinese. A
# pair becomes tokens like any text. The tokenizer is trained on such texts, and may
# join whole phrases.

# %%
train_world = mg.TinyWorld(split="train")
text = task_text("translate", train_world)
if QUICK:
    tokenizer = mg.CharTokenizer.train(text)
else:
    tokenizer = mg.BPETokenizer.train(
        text[: len(text) // 4], vocab_size=1024, pattern=PHRASES, progress=False
    )


def pair(world, i):
    return TASKS["translate"].example(world, 2 * i)  # the odd ones go the other way


ids, [(_, start, stop)] = encode_parts(pair(world, 0), tokenizer)
print(
    f"{len(ids)} tokens, of which {start} are given and {stop - start} are the answer\n"
)
print(" | ".join(tokenizer.decode([i]) for i in ids[:16]), "| …")

# %% [markdown]
# The loss is the cross-entropy that every language model has, with one change. It is the
# mean over the *answer's* tokens; the prompt is not to be learned,
#
# $$
# L = -\frac{1}{|A|} \sum_{t \in A} \log p(x_t \mid x_1, \dots, x_{t-1})
# $$
#
# where $A$ are the positions of the answer. So a row of the data says of each token
# whether it counts. In the batch, the target is −100 where nothing is to be learned,
# and the loss skips it. Rows of similar length are put together and padded to the longest.

# %% mystnb={"image": {"alt": "Eight rows of a batch: what is given, the answer, then filling."}}
CONTEXT = 512 if QUICK else 256


def row(i):
    ids, [(_, start, stop)] = encode_parts(pair(train_world, i), tokenizer)
    return Row(ids, counts=[start <= t < stop for t in range(len(ids))])


data = RowDataset(
    row, None, CONTEXT, tokenizer.vocab_size, "English to Chinese", keep="end"
)
inputs, targets = data.batch(step=0, batch_size=8)

kinds = torch.zeros(inputs.shape)
kinds[inputs != 0] = 1  # given; the filling is 0
kinds[targets != -100] = 2  # counts

figure, axes = plt.subplots(figsize=(5.6, 2.8), layout="constrained")
colors = plt.matplotlib.colors.ListedColormap(["white", "tab:gray", "tab:orange"])
axes.imshow(kinds, cmap=colors, vmin=0, vmax=2, aspect="auto", interpolation="nearest")
axes.set(xlabel="position", ylabel="row of the batch")
labels = {"given": "tab:gray", "to be written, counts in the loss": "tab:orange"}
handles = [
    plt.matplotlib.patches.Patch(color=color, label=label)
    for label, color in labels.items()
]
figure.legend(handles=handles, frameon=False, loc="outside upper center", ncols=2)
plt.show()

# %% [markdown]
# If the prompt counted too, the model would spend a good part of its learning on how to
# *tell* an English story, which is not the task.
#
# ## Teach it
#
# The recipe `translate` names the parts and settings that suit the task. We train for a
# third of its steps, to keep this notebook short.

# %%
STEPS, BATCH = (2, 2) if QUICK else (700, 24)

recipe = mg.RECIPES["translate"]
parts = {**recipe.model, "context_length": CONTEXT}
config = mg.GPTConfig.preset("nano", vocab_size=tokenizer.vocab_size, **parts)
model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
settings = {
    **recipe.training,
    "steps": STEPS,
    "batch_size": BATCH,
    "precision": "fp32",
    "device": "cpu",
}
history = mg.train(model, data, mg.TrainConfig(**settings), progress=False)

print(f"{model.n_parameters:,} parameters; {STEPS * BATCH:,} pairs read")

# %% mystnb={"image": {"alt": "The loss falls from guessing to near 0, its floor."}}
history.plot(
    uniform=math.log(tokenizer.vocab_size), floor=0.0, title="English to Chinese"
)

# %% [markdown]
# The floor is 0: one translation is right, so a perfect model would be sure of every
# token. The curve falls twice: first when the model learns what Chinese stories are like,
# and again when it discovers that the English one tells it *which* story.
#
# Here is what it writes. `Conversation` puts the line into a prompt and takes the most
# probable token at each step, until the line ends.

# %%
from minigpt.generation import Conversation


def translated(line):
    return "".join(
        Conversation(model, tokenizer, TASKS["translate"].prompt).reply(line)
    )


def compare(i):
    given, answer = (part.text.strip() for part in pair(world, i))
    line = given.removeprefix("Translate to Chinese: ")
    wrote = translated(line)
    print(
        f"given  {line}\nright  {answer}\nwrote  {wrote}\n       "
        f"{'right' if wrote == answer else 'wrong'}\n"
    )


for i in range(0 if QUICK else 4):
    compare(i)

# %% [markdown]
# ## Right to the letter
#
# A translation that gives the kite to the wrong person reads just as well. So only the
# exact text counts as right. We ask for a hundred translations of stories that the model
# has not seen: no story of the test world opens with a person, a colour and a thing that
# were together in training. And we ask a 5-gram for the same, a model that has counted
# which token follows which four.

# %%
from minigpt.evaluation.answers import greedy_gpt, greedy_ngram, score_answers

ASKED, COUNTED = (3, 10) if QUICK else (100, 2000)
asked = [pair(world, i) for i in range(ASKED)]
read = [
    token
    for i in range(COUNTED)
    for token in encode_parts(pair(train_world, i), tokenizer)[0]
]
five_gram = mg.NGram.train(read, 5, tokenizer.vocab_size)

report = mg.TaskReport(
    {
        "GPT": score_answers(greedy_gpt(model.eval()), asked, tokenizer, CONTEXT),
        "5-gram": score_answers(greedy_ngram(five_gram), asked, tokenizer, CONTEXT),
    }
)
print(report)
print(
    f"\ntokens that the 5-gram has right: {report.overall('5-gram').token_accuracy:.1%}"
)
if not QUICK:
    assert (
        report.overall("GPT").token_accuracy
        > report.overall("5-gram").token_accuracy + 0.3
    )
    assert report.overall("GPT").exact > report.overall("5-gram").exact

# %% [markdown]
# The last two columns count tokens instead of texts, each given the right ones before it.
# A text is right only if all of its tokens are, about fifty of them, so one mistake in
# fifty tokens would spoil most texts. The 5-gram has more than half of the tokens right,
# but no text: it sees the last four tokens that it has written, and the sentence that it
# should translate is out of its reach. No amount of training helps it.
#
# For questions there is a second baseline, a **bag of words**. It sees every word that
# was given, but not their order. Here is what the two reach there. (The columns of the GPT
# show nothing yet: our translator has not been trained to answer questions.)

# %%
if not QUICK:
    print(mg.evaluate_task(model, "qa", world, tokenizer, n_examples=50))

# %% [markdown]
# The bag guesses well where a few words decide: *none* is a likely number, and a place
# that is named often is a likely place. *Who* has a thing it finds in a third of cases,
# since few people are named; to know it, one has to follow the order in which the thing
# changed hands, which a bag can't see. And it is never right about *which* thing a
# person has: a colour and a thing have to be combined. A model that reads must do
# better than this column.
#
# ## Where it looked
#
# To write the next word of a translation, a model must find the place in the source that it
# comes from. Attention does that. The model's attention function returns outputs, not
# weights, and the trick of [notebook 05](05-self-attention-as-written.ipynb) helps:
# with the identity as values the output *is* the weights. We put a function into each
# block that records them, and take the head that looks most at the English of each name
# and colour when the Chinese word comes next.


# %%
def weights_of(model, ids):
    """The attention weights of every layer and head, (L, H, T, T)."""
    from minigpt.model.backends import formula_attention

    noted, attends = [], [block.attention.attend for block in model.blocks]
    for block, attend in zip(model.blocks, attends, strict=True):

        def note(q, k, v, pattern, attend=attend):
            identity = torch.eye(k.shape[2]).expand(1, k.shape[1], -1, -1)
            noted.append(formula_attention(q.float(), k.float(), identity, pattern)[0])
            return attend(q, k, v, pattern)

        block.attention.attend = note
    with torch.no_grad():
        model(torch.tensor([ids]))
    for block, attend in zip(model.blocks, attends, strict=True):
        block.attention.attend = attend
    return torch.stack(noted)


ids, [(_, start, stop)] = encode_parts(pair(world, 0), tokenizer)
# from what writes to what was given
weights = weights_of(model, ids)[:, :, start - 1 : stop - 1, :start]
tokens = [tokenizer.decode([i]) for i in ids]
english = {word.zh: word.en for word in PEOPLE + COLOURS}
# how much of each head's weight is on the English of a name or a colour
right = torch.zeros(weights.shape[:2])
named = [
    (row, english[token])
    for row, token in enumerate(tokens[start:stop])
    if token in english
]
for row, word in named:
    places = [
        place for place, token in enumerate(tokens[:start]) if token.strip() == word
    ]
    right += weights[:, :, row, places].sum(-1) / len(named)
layer, head = divmod(right.argmax().item(), right.shape[1])
print(
    f"the head that looks words up: layer {layer + 1}, head {head + 1}, with "
    f"{right.max():.0%} of its weight"
)

# %% [markdown]
# One line for each token of the first sentence of the answer (a rare character is two
# tokens, shown as one). In it is the given text, darker where the head attended more when
# it wrote that token.


# %%
class Lookup:
    """What was written, and what was looked at for it."""

    def __init__(self, rows, given):
        self.rows, self.given = rows, given

    def _repr_html_(self):
        lines = ""
        for token, row in self.rows:
            given = "".join(map(self.shade, self.given, row))
            lines += (
                f'<tr><td style="text-align:right"><b>{token}</b></td>'
                f'<td style="text-align:left">{given}</td></tr>'
            )
        return f"<table>{lines}</table>"

    @staticmethod
    def shade(token, weight):
        if weight < 0.02:
            return token
        blue = ",".join(f"{255 - 0.9 * weight * (255 - c):.0f}" for c in (31, 119, 180))
        return f'<span style="color:black;background:rgb({blue})">{token}</span>'

    def __repr__(self):
        best = [
            (token, max(zip(row, self.given, strict=True))) for token, row in self.rows
        ]
        return "\n".join(
            f"{token!r} ← {given!r} ({w:.0%})" for token, (w, given) in best
        )


rows, piece = [], []
for token, row in zip(ids[start:stop], weights[layer, head].tolist(), strict=True):
    piece.append(token)
    written = tokenizer.decode(piece).strip("\n")
    if "\ufffd" in written:  # a part of a character: the next token has the rest
        continue
    rows.append((written, row))
    piece = []
    if written.endswith("。"):
        break
Lookup(rows, tokens[:start])

# %% [markdown]
# This head finds the name. Not every word is looked up by the same head.
#
# **Try it yourself.** Give the translator a sentence of your own. What does it do with a
# name that it has never met?
#
# <details>
# <summary>Answer</summary>
#
# It writes a name that it knows. In its Chinese, a name is a single token, and it has
# never had to spell a new one.
#
# ```python
# for name in ("Anna", "Napoleon"):
#     print(
#         translated(
#             f"One rainy morning, {name} was in the park with a red kite. Jack was by "
#             f"the river. "
#             f"In the end, the red kite was with {name} in the park."
#         )
#     )
# ```
#
# </details>
#
# **Try it yourself.** What share of a batch counts? Questions and conversations are
# trained with `reading_steps`, at which a sample of what is given counts too. What is the
# share if all of it does?
#
# <details>
# <summary>Answer</summary>
#
# About half, and then all but the padding. A model that has learned to read a story learns
# faster to answer questions about it.
#
# ```python
# from dataclasses import replace
#
# reading = replace(data, reading_steps=1)
# for rows in (data, reading):
#     _, targets = rows.batch(step=0, batch_size=8)
#     print(f"{(targets != -100).double().mean():.0%} of the positions count")
# ```
#
# </details>
#
# ## The other three, and all the steps
#
# Everything above, with every step of the recipe, is one command for each task and takes
# minutes:

# %%
for name, task in TASKS.items():
    print(f"minigpt train --task {name:<10} --out runs/{name:<10}  # {task.summary}")

# %% [markdown]
# Then look at the result. What each command prints:
#
# | after the task | `minigpt eval runs/…` | `minigpt chat runs/…` |
# | --- | --- | --- |
# | `story` | its loss, the floor, and how many stories are consistent | continues a beginning |
# | `translate` | the first table above | your line in the other language |
# | `qa` | the second table above, with a GPT that can answer | the answer to your question |
# | `dialogue` | such a table for answers in a conversation | one answer for each turn |
#
# `chat` shows an example first, so that you see which form the model expects. `--language
# zh` trains on the Chinese stories. What large models do is the same in principle:
# instructions and conversations are texts in a fixed form, of which the answers count.
#
# ## Read on
#
# - [The tiny world and its floor](../docs/explanation/tiny-world.md): the language, and
#   why its losses have a floor.
# - `minigpt/text/datasets/rows.py` and `minigpt/text/tinyworld/examples.py`: the mask and
#   the examples of each task, a page each.
