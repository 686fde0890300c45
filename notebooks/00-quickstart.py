# %% [markdown]
# # Quickstart: from nothing to generated text
#
# In five minutes you train a GPT from scratch on a CPU and let it write. Here you
#
# - turn a text into numbers, and numbers into batches of *what comes next?*;
# - build a GPT of 0.9 million parameters and see what it writes before it has learned
#   anything;
# - train it, watch its loss fall below guessing, and let it write again;
# - measure it in units that can be compared with other models.
#
# You need to know a little Python. Nothing is downloaded.

# %%
import math
import os

import torch

import minigpt as mg

STEPS = 10 if os.environ.get("MINIGPT_QUICK") else 600

# %% [markdown]
# ## A text
#
# Every Python comes with the documentation of its own language, a third of a million letters
# of prose, made for `help()`. A model learns from one part of it and is tested on the
# rest, which it never sees.

# %%
text = mg.load_corpus("python-docs")
learn_from, tested_on = mg.split_text(text, validation_fraction=0.1)
print(f"{len(text):,} characters, of which {len(tested_on):,} are kept for the test\n")
print(text[1000:1400])

# %% [markdown]
# ## Tokens
#
# A model sees numbers. A **tokenizer** cuts the text into pieces and numbers them. This
# one starts from single bytes and joins the most frequent pair of neighbours, again and
# again, until it knows 512 pieces.

# %%
tokenizer = mg.BPETokenizer.train(learn_from, vocab_size=512)
ids = tokenizer.encode("The value of an expression")
print(ids)
print([tokenizer.decode([i]) for i in ids])

# %% [markdown]
# ## Batches of questions
#
# What a language model learns is always the same: *given these tokens, which comes
# next?* Each row below is one such exercise, sixty-four times over: at every position,
# the target is the input one step later.

# %%
data = mg.TokenDataset.from_text(learn_from, tokenizer, context_length=64)
validation = mg.TokenDataset.from_text(tested_on, tokenizer, context_length=64)
inputs, targets = data.batch(step=0, batch_size=12)
print("inputs ", tuple(inputs.shape), inputs[0, :6].tolist(), "…")
print("targets", tuple(targets.shape), targets[0, :6].tolist(), "…")

# %% [markdown]
# ## A model
#
# `GPTConfig` says what the model is made of. The preset `nano` is four blocks, 128
# numbers wide. We give it parts that today's models use:
#
# - **rotary positions** (RoPE) turn the queries and keys of attention by an angle that
#   grows with the position, so that their products depend on the distance;
# - **RMSNorm** divides a vector by its root mean square, so that its size does not drift
#   from layer to layer; queries and keys are normalised in the same way;
# - **squared ReLU** turns negative numbers into 0 and squares the others.
#
# [The Transformer block and GPT](06-transformer-block-and-gpt.ipynb) takes a model apart;
# here it is enough to know that they exist.

# %%
parts = {
    "position": "rope-half",
    "norm": "rms",
    "qk_norm": True,
    "mlp": "relu2",
    "bias": False,
}
config = mg.GPTConfig.preset("nano", vocab_size=tokenizer.vocab_size, **parts)
model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
logits = model(inputs)

print(f"{model.n_parameters:,} parameters")
print("logits", tuple(logits.shape), "= (batch, positions, vocabulary)")
loss = mg.next_token_loss(logits, targets).item()
guessing = math.log(tokenizer.vocab_size)
print(f"loss {loss:.3f}, guessing {guessing:.3f} nats per token")

# %% [markdown]
# The untrained model gives all tokens about the same probability, so its loss is that of
# guessing, $\log 512$. This is what it writes:

# %%
print(mg.generate(model, tokenizer, "The value of", max_new_tokens=40))

# %% [markdown]
# ## Training
#
# `mg.train` shows the model batch after batch and moves every parameter a little, in the
# direction in which the loss falls. `validation` is the loss on *all* of the text that
# was kept for the test.

# %%
settings = mg.TrainConfig(steps=STEPS, learning_rate=3e-3, eval_every=150, device="cpu")
history = mg.train(model, data, settings, validation=validation)

# %% mystnb={"image": {"alt": "The loss falls steeply, then slowly, far below guessing."}}
history.plot(uniform=guessing, title="nano on the Python documentation")

# %% [markdown]
# ## What it writes now
#
# It does not make sense yet: the model has trained for a minute or two. But it has learned
# words, punctuation and the style of the manual. A `temperature` below 1 makes its choices
# more cautious; another `seed` gives another text.

# %%
prompt = "The value of"
print(
    mg.generate(model, tokenizer, prompt, max_new_tokens=120, temperature=0.7, seed=1)
)

# %% [markdown]
# ## How good is it?
#
# - **Nats per token** is the loss itself.
# - **Perplexity** is its exponential: the model is as uncertain as a uniform choice among
#   that many tokens. Guessing would be 512.
# - **Bits per byte** does not depend on the tokenizer: a file compressed by this model
#   would take that many bits for each of its 8-bit bytes.

# %%
print(mg.evaluate(model, validation, tokenizer))

# %% [markdown]
# Is that good? Compare it with a compressor that has read the same text: a file that
# becomes small was easy to predict.

# %%
import lzma

known, new = learn_from.encode(), tested_on.encode()
added = len(lzma.compress(known + new)) - len(lzma.compress(known))
print(f"xz: {8 * added / len(new):.4f} bits per byte")

# %% [markdown]
# After a minute or two the small model predicts the manual about as well as xz, one of the
# best compressors on your computer. [What a language model is](01-language-models.ipynb)
# puts more models on this scale.

# %% [markdown]
# ## Try it yourself
#
# 1. What does the model write at `temperature=0`, and why does it repeat itself?
# 2. Train on a text of your own: `text = mg.read_text("my.txt")`. What changes?
# 3. Let every position see only its last eight: `window=8` in the configuration. How
#    much does the loss suffer?
#
# <details><summary>Answers</summary>
#
# 1. At temperature 0 it always takes the most probable token. Once a phrase makes itself
#    the most probable continuation, nothing leads out of it.
# 2. Nothing in the code. On a short text – less than a hundred thousand characters – the
#    validation loss turns upwards while the training loss still falls: the model learns
#    the text by heart.
# 3. Less than one would think: the next token depends mostly on the tokens close to it.
#    The four blocks also pass information on, 7 positions further in each, so that the
#    output of the last one depends on $4 \cdot 7 + 1 = 29$ positions.
#
# </details>
#
# ## Read on
#
# [Self-attention, exactly as written](05-self-attention-as-written.ipynb) explains the
# central part of this model. On the command line, `minigpt train --text my.txt --out
# runs/mine` does all of the above and keeps checkpoints.
