# %% [markdown]
# # Training at scale
#
# A larger model is the same model with more of everything: more numbers than fit into
# memory, more arithmetic than one device can do, and more hours in which something can
# fail. Here you
#
# - see what 16-bit numbers can hold, watch gradients vanish in them, and bring them back
#   with a **loss scale**;
# - take a large batch in small pieces, and trade memory for arithmetic;
# - train on two processes, with a copy of the model in each and with half of it in each,
#   and compare the losses with those of one;
# - kill a run with `kill -9` and get the same weights, bit for bit, in spite of it;
# - compute what training GPT-2 costs, and GPT-3: arithmetic, memory, time;
# - clean a real text: remove copies and poor documents, and measure how much of a test set
#   is in the training set.
#
# About 50 minutes. You need to know what a training step is:
# [Quickstart](00-quickstart.ipynb) has one. No GPU is needed; everything runs on a CPU, on a
# small scale.

# %%
import math
import os

import matplotlib.pyplot as plt
import numpy as np
import torch

import minigpt as mg
from minigpt.training import TrainConfig, accumulate_gradients, load_checkpoint

QUICK = bool(os.environ.get("MINIGPT_QUICK"))
STEPS = 2 if QUICK else 60

# %% [markdown]
# ## Three kinds of numbers
#
# A number of 16 bits takes half the memory of one of 32, half the time to move, and
# GPUs multiply it many times faster. What is lost? A floating-point number has a sign, an
# exponent, which gives its size, and a fraction, which gives its digits.

# %%
KINDS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

print("       bits   exponent   fraction   largest    smallest above 0   next after 1")
for name, kind in KINDS.items():
    about = torch.finfo(kind)
    fraction = -round(math.log2(about.eps))
    exponent = about.bits - 1 - fraction
    # below 2^-126 or 2^-14 the digits run out one by one
    smallest = about.smallest_normal * about.eps
    print(
        f"{name}  {about.bits:7} {exponent:10} {fraction:10}   "
        f"{about.max:8.2g}{smallest:16.1e}    1 + 2^-{fraction}"
    )

# %% [markdown]
# `bf16` keeps the range of 32 bits and pays with digits: it has between two and three
# decimal digits. `fp16` has one digit more and a small range. Round numbers of every size,
# and look at the error:


# %% mystnb={"image": {"alt": "Rounding error: bf16 flat and coarse, fp16 finer in a small range."}}
def rounding_error(kind, x):
    return ((x.to(kind).double() - x) / x).abs()


generator = torch.Generator().manual_seed(0)
exponents = torch.arange(-60, 60)
sample = (
    2.0
    ** (
        exponents[:, None] + torch.rand(60, 200, generator=generator).repeat(2, 1)
    ).double()
)

figure, axes = plt.subplots(figsize=(5.2, 3.4), layout="constrained")
for (name, kind), color in zip(
    KINDS.items(), ("tab:gray", "tab:blue", "tab:orange"), strict=True
):
    worst = rounding_error(kind, sample).amax(1).clamp(max=1)
    axes.semilogy(exponents, worst, color=color, label=name)
axes.set(
    xlabel="size of the number, as a power of 2",
    ylabel="worst relative error",
    ylim=(1e-8, 3),
)
axes.legend(frameon=False, loc="center left", bbox_to_anchor=(0, 0.3))
plt.show()

# %% [markdown]
# Below $2^{-14}$ the line of `fp16` rises: digits get lost. Below $2^{-25}$ the error
# is 1 – the number has become 0. Above $2^{16}$ it has become infinity.
#
# ### What stays in 32 bits
#
# A weight changes by a small part of itself in each step. In 16 bits such steps are
# rounded away, every single one:

# %%
for name, kind in KINDS.items():
    weight = torch.ones((), dtype=kind)
    for _ in range(1000):
        weight += 0.0001
    print(f"{name}: 1, and a thousand times + 0.0001, is {weight.item():.4f}")

# %% [markdown]
# So in **mixed precision** only the large products run in 16 bits. Weights, gradients
# and the moments of the optimizer stay in 32, and so do softmax, norms and the loss,
# which are sums of many terms. Of a step's arithmetic almost all is in the products; of
# its exactness, almost nothing.
#
# **Try it yourself.** From which whole number on does counting stop working in each
# kind: where is $n + 1 = n$?
#
# <details>
# <summary>Answer</summary>
#
# Where the fraction can't tell the two apart: with $f$ bits of fraction at $n =
# 2^{f+1}$. The number of tokens in a batch is such a count; never keep it in 16 bits.
#
# ```python
# for name, kind in KINDS.items():
#     n = 1
#     while (torch.tensor(float(n), dtype=kind) + 1) != n:
#         n *= 2
#     print(f"{name}: {n:,} + 1 = {n:,}")
# ```
#
# </details>
#
# ## Gradients that vanish
#
# Are real gradients small enough for this to matter? The first ones on the way back are
# those of the logits: $(p_i - y_i) / n$, a probability divided by the number of tokens in
# the batch. GPT-2 learned from batches of 512 texts of 1,024 tokens. Here is a small GPT,
# trained for a moment, and how its gradients would look in a batch of that size.

# %%
text = mg.load_corpus("python-docs")
tokenizer = mg.CharTokenizer.train(text)
data = mg.TokenDataset.from_text(text, tokenizer, context_length=64)


def new_model():
    config = mg.GPTConfig.preset(
        "nano", vocab_size=tokenizer.vocab_size, context_length=64
    )
    return mg.GPT(config, generator=torch.Generator().manual_seed(0))


def train_in(precision):
    model = new_model()
    settings = TrainConfig(
        steps=STEPS, learning_rate=2e-3, precision=precision, device="cpu"
    )
    return model, mg.train(model, data, settings, progress=False).column("loss")[1]


model, losses_32 = train_in("fp32")
inputs, targets = data.batch(step=STEPS, batch_size=12)
logits = model(inputs).detach().requires_grad_()
(mg.next_token_loss(logits, targets, reduction="sum") / (512 * 1024)).backward()
sizes = logits.grad.abs().double().flatten()


def lost(scale):
    """The share of gradients that 16 bits round to 0."""
    return ((sizes * scale).to(torch.float16) == 0).double().mean().item()


for exponent in (0, 8, 16):
    print(
        f"times 2^{exponent:<2}: {lost(2.0**exponent):6.1%} of the gradients are 0 in "
        f"fp16"
    )

# %% [markdown]
# Hence the **loss scale**. Multiply the loss by $S$ before the backward pass, and by the
# chain rule every gradient on the way is multiplied by $S$; divide by $S$ at the end, in
# 32 bits. Nothing changes but the range that is used:

# %% mystnb={"image": {"alt": "Sizes of gradients, and the same moved into the range of fp16."}}
figure, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
bins = np.arange(-50, 20)
powers = sizes.log2().numpy()
axes.hist(powers, bins, color="tab:blue", alpha=0.7, label="gradients")
axes.hist(powers + 16, bins, color="tab:orange", alpha=0.7, label="times 2^16")
axes.axvspan(-24, -14, color="tab:gray", alpha=0.15, lw=0)
axes.axvspan(-14, 16, color="tab:gray", alpha=0.3, lw=0)
axes.text(
    1,
    0.98,
    "range of fp16",
    va="top",
    ha="center",
    transform=axes.get_xaxis_transform(),
)
axes.set(xlabel="size, as a power of 2", ylabel="how many", xlim=(-50, 19))
axes.set_yticks([])
axes.legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# The light part is where digits are already missing. One small number, all the way
# through: the true gradient of the loss below with respect to the weight is $2^{-30}$.

# %%
from minigpt.training.execution.precision import Precision, next_loss_scale

layer, x = torch.nn.Linear(1, 1, bias=False), torch.ones(1, 1)


def gradient_in_fp16(scale):
    precision = Precision("fp16", torch.device("cpu"))
    precision.scale, layer.weight.grad = scale, None
    with precision.autocast():  # the product in 16 bits
        y = layer(x)
    precision.backward(y.float().sum() * 2.0**-30)
    precision.unscale(layer.parameters())
    return layer.weight.grad.item()


for exponent in (0, 8, 16, 60):
    print(f"S = 2^{exponent:<2}:  gradient {gradient_in_fp16(2.0**exponent)}")
assert gradient_in_fp16(1.0) == 0 and gradient_in_fp16(2.0**16) == 2.0**-30

# %% [markdown]
# With too small a scale the gradient is 0; with too large a scale it is infinite. The right
# one is unknown and changes during training. So it is adjusted all the time:

# %%
next_loss_scale.equation

# %% [markdown]
# $f_t$ is 1 where the gradient of the step is finite. An infinite one costs a step,
# which is skipped, and halves the scale; $N$ good ones in a row double it. Let us play
# that with gradients that grow for a while and shrink again:

# %% mystnb={"image": {"alt": "The loss scale follows the largest one that fits, in steps of two."}}
largest_gradient = 2.0 ** (-6 + 8 * np.exp(-(((np.arange(400) - 150) / 60) ** 2)))
scale, streak, scales, skipped = 2.0**16, 0, [], []
for step, g in enumerate(largest_gradient):
    finite = scale * g <= torch.finfo(torch.float16).max
    scales.append(scale)
    if not finite:
        skipped.append(step)
    scale, streak = next_loss_scale(scale, streak, finite=bool(finite), patience=20)

figure, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
axes.plot(
    np.log2(torch.finfo(torch.float16).max / largest_gradient),
    color="tab:gray",
    label="largest that fits",
)
axes.step(
    range(400), np.log2(scales), where="post", color="tab:blue", label="loss scale S"
)
axes.plot(skipped, np.log2(scales)[skipped], "x", color="tab:red", label="skipped step")
axes.set(xlabel="step", ylabel="as a power of 2")
axes.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# (Here 20 good steps double the scale. The library waits for 2,000, and loses fewer
# steps.) `bf16` has the range of 32 bits and needs none of this, which is why it has
# mostly taken over; `fp16` is for GPUs that have no `bf16`.
#
# NVIDIA's Apex once brought this to PyTorch; today it is a part of it, `torch.amp`, and
# in the library one word. The same model from the same beginning in all three:

# %%
losses = {"fp32": losses_32, "bf16": train_in("bf16")[1], "fp16": train_in("fp16")[1]}
print(f"{'':8}{'first loss':>12}{'last loss':>12}")
for name, each in losses.items():
    print(f"{name:8}{each[0]:12.4f}{each[-1]:12.4f}")

apart = {name: abs(each[-1] / losses_32[-1] - 1) for name, each in losses.items()}
# bf16 has three binary digits fewer
assert apart["fp16"] < 0.01 and apart["bf16"] < 0.03

# %% [markdown]
# ## A large batch in small pieces
#
# For its backward pass a model keeps what every layer computed, for every sequence in the
# batch: the **activations**. They, not the weights, are what fills the memory first. But
# the gradient of a sum is the sum of the gradients,
#
# $$
# \nabla_\theta \frac{1}{n} \sum_{i=1}^{n} \ell_i
#   = \sum_{\text{pieces}} \nabla_\theta \frac{1}{n} \sum_{i \in \text{piece}} \ell_i
# $$
#
# so a batch can go through the model a few sequences at a time, and the gradients
# **accumulate**. Note that each piece is divided by the $n$ of the *whole* batch. A mean of
# means would give too much weight to the tokens of a piece that has few of them.
#
# The second way is to keep less. **Activation checkpointing** keeps only the input of
# each block and computes the rest a second time when the backward pass comes by. Here
# is the memory of one gradient of 16 sequences, both ways:

# %%
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.safety.memory import PeakBytes

inputs, targets = data.batch(step=0, batch_size=16)


def gradient(micro_batch, *, recomputed=False):
    model = new_model()
    with run_blocks(model, recomputed=recomputed), PeakBytes() as made:
        accumulate_gradients(model, inputs, targets, micro_batch)
    return torch.cat([p.grad.flatten() for p in model.parameters()]), made.peak / 2**20


whole, _ = gradient(16)
peaks = {"as written": [], "activation checkpointing": []}
pieces = [16, 1] if QUICK else [16, 8, 4, 2, 1]
for micro_batch in pieces:
    for name, recomputed in zip(peaks, (False, True), strict=True):
        found, peak = gradient(micro_batch, recomputed=recomputed)
        torch.testing.assert_close(found, whole, rtol=0, atol=2e-6)
        peaks[name].append(peak)
        if name == "as written":
            plain = found
    assert torch.equal(found, plain)  # recomputed: the same bits

# %% mystnb={"image": {"alt": "Peak memory falls with the micro-batch, and with checkpointing."}}
figure, axes = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
places = np.arange(len(pieces))
for offset, (name, values) in zip((-0.2, 0.2), peaks.items(), strict=True):
    bars = axes.bar(places + offset, values, 0.4, label=name)
    axes.bar_label(bars, fmt="%.0f", fontsize=9)
axes.set_xticks(places, pieces)
axes.set(xlabel="sequences at once (micro-batch)", ylabel="peak of a step (MiB)")
axes.margins(y=0.1)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# Smaller pieces change the rounding of sums and nothing else; recomputing changes not a
# single bit. The price: small pieces use a GPU poorly, and recomputing costs about a third
# more arithmetic. In `TrainConfig` they are `micro_batch_size=4` and
# `activation_checkpointing=True`. What remains at the right end are gradients, which
# are as large as the weights.
#
# **Exercise: `accumulated_gradient`.** Now each piece $k$ comes with the gradient $g_k$
# of the *mean* loss over its own $n_k$ tokens. Compute the gradient of the mean loss
# over all tokens.
#
# $$
# g = \frac{\sum_{k=1}^{K} n_k g_k}{\sum_{k=1}^{K} n_k}
# $$
#
# Replace the comment with your code and run the cell again: the reply says how the
# result differs from the formula. [Exercises that know the
# mistake](../docs/tutorials/exercises.md) has the details.


# %%
def accumulated_gradient(gradients, counts):
    """A list of gradients of one shape, and a list of token counts → that shape."""
    # Your code.


reply = mg.check.accumulated_gradient(accumulated_gradient)
reply

# %% [markdown]
# <details>
# <summary>Hint 1: a question</summary>
#
# One piece has 10 tokens, another has 1,000. Should both have the same influence?
#
# </details>
#
# <details>
# <summary>Hint 2: a term of the formula</summary>
#
# The product $n_k g_k$ is the gradient of the *sum* of the losses of piece $k$. What is
# left to do after these have been added up?
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
# ## Two processes
#
# When one device is too slow, several share the batch. Each takes its rows; the
# gradients, sums as above, are added up across the processes before the update. All
# then make the same update and stay equal. There are two ways to hold the model:
#
# - **DDP** (distributed data parallel): a whole copy in each process.
# - **FSDP** (fully sharded data parallel): of $W$ processes each keeps $1/W$ of every
#   weight, gradient and moment. Just before a block runs its weights are fetched from
#   the others, and dropped after.
#
# Two more ways are for models that are larger still, and this library does not have them.
# **Tensor parallelism** cuts each matrix into parts, so that several GPUs compute one
# product together; **pipeline parallelism** gives each GPU some of the blocks, and
# micro-batches move through them as on an assembly line. The largest models are trained
# with all of these at once (Narayanan et al. 2021, arXiv:2104.04473).
#
# `torchrun` starts the processes. It needs a script, which we write into the empty
# folder in which this notebook runs. The script does not mention processes, except to say
# which of them writes the result:

# %%
# %%writefile together.py
import json
import sys
from pathlib import Path

import torch

import minigpt as mg
from minigpt.training.processes.distributed import is_main_process


def losses(strategy):
    text = mg.load_corpus("python-docs")[:20_000]
    tokenizer = mg.CharTokenizer.train(text)
    data = mg.TokenDataset.from_text(text, tokenizer, context_length=32)
    config = mg.GPTConfig(
        vocab_size=tokenizer.vocab_size,
        context_length=32,
        d_model=32,
        n_heads=2,
        n_layers=2,
    )
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    settings = mg.TrainConfig(
        steps=8,
        batch_size=8,
        micro_batch_size=2,
        learning_rate=1e-2,
        strategy=strategy,
        device="cpu",
    )
    return mg.train(model, data, settings, progress=False).column("loss")[1]


if __name__ == "__main__":
    found = {strategy: losses(strategy) for strategy in sys.argv[1:]}
    if is_main_process():
        Path("found.json").write_text(json.dumps(found))

# %% [markdown]
# One process is this one: it imports the script. Then two, which meet on this machine's
# own address, 127.0.0.1.

# %%
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
from together import losses

one = losses("ddp")  # alone there is nothing to share, whatever the strategy


def torchrun(n_processes, *words):
    launch = [
        "--standalone",
        "--local-addr",
        "127.0.0.1",
        "--nproc-per-node",
        str(n_processes),
    ]
    here = {
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "torch.distributed.run", *launch, *words]
    done = subprocess.run(
        command, env={**os.environ, **here}, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr


if sys.platform == "win32":
    print(
        "PyTorch's torchrun does not work this way on Windows; the table is on the "
        "site."
    )
else:
    torchrun(2, "together.py", "ddp", "fsdp")
    two = json.loads(Path("found.json").read_text())
    print("step   one process   two, DDP   two, FSDP")
    for step, values in enumerate(zip(one, two["ddp"], two["fsdp"], strict=True)):
        print(f"{step:4}{values[0]:14.6f}{values[1]:11.6f}{values[2]:12.6f}")
    apart = max(
        abs(a - b) for found in two.values() for a, b in zip(one, found, strict=True)
    )
    assert apart < 1e-5
    print(f"largest difference: {apart:.0e} nats per token")

# %% [markdown]
# `batch_size` is that of an update, over all processes together, so no setting changes
# when there are more of them. If each process took 8 sequences of its own, it would be a
# different training.
#
# When is a copy in each too much? With AdamW in mixed precision a parameter costs 16
# bytes: four each for the weight, its gradient and two moments. For GPT-2's largest,
# with 1.6 billion:


# %%
def n_parameters(preset):
    with torch.device("meta"):  # shapes without numbers: no memory
        return mg.GPT(mg.GPTConfig.preset(preset)).n_parameters


xl = n_parameters("gpt2-xl")
print(f"gpt2-xl: {xl:,} parameters\n")
print(f"{'processes':>10}{'DDP, GiB in each':>20}{'FSDP, GiB in each':>20}")
for n_processes in (1, 2, 4, 8):
    print(
        f"{n_processes:>10}{16 * xl / 2**30:>20.1f}"
        f"{16 * xl / n_processes / 2**30:>20.1f}"
    )

# %% [markdown]
# (Activations are extra, with either.) DDP is the faster one as long as the copy fits; use
# FSDP when it does not. [Train on several
# GPUs](../docs/howto/train-on-several-gpus.md) has the commands, for one machine, for
# several, and for Slurm.
#
# **Try it yourself.** What happens with a batch of 8 on three processes?
#
# <details>
# <summary>Answer</summary>
#
# It is refused, with the nearest sizes that can be shared:
#
# ```python
# from minigpt.training.processes.distributed import World
#
# try:
#     World(size=3).micro_batch(batch=8, micro=None)
# except ValueError as error:
#     print(error)
# ```
#
# </details>
#
# ## Killed, and nothing lost
#
# The more machines, the sooner one of them fails: when Llama 3 was trained on 16,384
# GPUs, 419 accidents in 54 days interrupted it (2024, arXiv:2407.21783), one every three
# hours. What counts is what is left. The second script trains, and after its 28th step
# it ends itself with the signal that no program can catch, `kill -9`:

# %%
# %%writefile long_run.py
import os
import signal
import sys

import minigpt as mg


class Killer:
    def log(self, row):
        if row["step"] == 27:
            # Windows has no SIGKILL
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    def close(self):
        pass


def prepare(out):
    shape = {"preset": "nano", "context_length": 16, "tokenizer": "char"}
    training = {"steps": 40, "batch_size": 4, "checkpoint_every": 10, "device": "cpu"}
    return mg.prepare_run(mg.RunConfig.of(**shape, **training, out=out))


if __name__ == "__main__":
    prepare(sys.argv[1]).train(progress=False, loggers=[Killer()])

# %%
from long_run import prepare

environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
done = subprocess.run(
    [sys.executable, "long_run.py", "killed"],
    env=environment,
    capture_output=True,
    text=True,
)
print("exit status", done.returncode, "– the number of the signal, negative")

kept = sorted(folder.name for folder in Path("killed/checkpoints").iterdir())
print("checkpoints", kept)
print("steps in the log", len(Path("killed/log.jsonl").read_text().splitlines()))
assert kept == ["step-00000010", "step-00000020"]

# %% [markdown]
# Twenty steps are safe, and eight are lost. A checkpoint is a folder of four files:

# %%
for file in sorted(Path("killed/checkpoints/step-00000020").iterdir()):
    print(f"{file.name:<24}{file.stat().st_size:>12,} bytes")

# %% [markdown]
# Weights, moments, and in JSON the step, the settings and the tokenizer; the manifest
# has the hash of each file and is written last, so that half a checkpoint is never
# taken for a whole one. What is *not* there: the state of a random generator, the
# position in the data. Batch, learning rate and dropout are functions of the seed and
# the step, so the step is all that has to be known. Resume:

# %%
prepare("killed").train(resume=True, progress=False)
prepare("undisturbed").train(progress=False)

there = {
    name: load_checkpoint(Path(name) / "checkpoints")
    for name in ("killed", "undisturbed")
}
assert there["killed"].step == there["undisturbed"].step == 40
for part in ("model", "optimizer"):
    found, expected = (getattr(there[name], part) for name in there)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    print(f"{part}: {len(found)} tensors, equal bit for bit")

# %% [markdown]
# On the command line that is `minigpt train --resume --out runs/mine`, and
# `--auto-resume` for a cluster that restarts jobs by itself. [Stop and resume a
# run](../docs/howto/stop-and-resume.md) says what else a run survives.
#
# **Try it yourself.** Spoil one byte in the middle of the newest checkpoint's weights.
# What does loading do?
#
# <details>
# <summary>Answer</summary>
#
# It notices, names the file, and takes the checkpoint before.
#
# ```python
# import warnings
#
# path = Path("killed/checkpoints/step-00000040/model.safetensors")
# spoiled = bytearray(path.read_bytes())
# spoiled[len(spoiled) // 2] ^= 1
# path.write_bytes(spoiled)
# with warnings.catch_warnings(record=True) as said:
#     warnings.simplefilter("always")
#     print("loaded: step", load_checkpoint(Path("killed/checkpoints")).step)
# print(said[0].message)
# ```
#
# </details>
#
# ## What GPT-2 costs
#
# Nearly all arithmetic of a Transformer is in its matrices. A matrix of $P$ numbers
# costs $2P$ operations a token forward – a product and a sum for each number – and $4P$
# backward, for the gradients of its input and of itself. Attention adds what grows with
# the length:

# %%
mg.training_flops_per_token.equation

# %% [markdown]
# Is that so? PyTorch can count the operations that it really runs. Its counter takes the
# whole square of attention, of which a causal model needs only the share $(T+1)/2T$. With
# that corrected:

# %%
from torch.utils.flop_counter import FlopCounterMode

config = mg.GPTConfig.preset(
    "nano", vocab_size=65, context_length=64, attention="formula"
)
T = config.context_length
ids = torch.zeros(2, T, dtype=torch.int64)
with FlopCounterMode(display=False) as counter:
    mg.next_token_loss(mg.GPT(config)(ids), ids).backward()

beyond = (
    12 * config.n_layers * config.d_model * T
    - 6 * config.n_layers * config.d_model * (T + 1)
)
counted = counter.get_total_flops() / ids.numel() - beyond
predicted = mg.training_flops_per_token(config, T)
print(f"counted {counted:,.0f}, predicted {predicted:,.0f} operations per token")
assert math.isclose(counted, predicted)

# %% [markdown]
# Now the whole family. How long a text? Hoffmann and others (2022, arXiv:2203.15556)
# found about 20 tokens a parameter to be the best use of arithmetic. (GPT-2's own text,
# WebText, was 40 GB, or roughly 9 billion tokens, whatever the size of the model: more than
# three times what this rule gives the smallest, and less than a third of what it gives the
# largest.) How fast? An H100 does 989 · 10¹² operations a second in `bf16` by its data sheet;
# a good training run reaches some 40 % of that. And a CPU? Measure this one, with a small
# model:

# %%
brief = TrainConfig(steps=2 if QUICK else 20, device="cpu")
measured = mg.train(new_model(), data, brief, progress=False)
speed = float(np.median(measured.column("tokens_per_second")[1]))
here = speed * mg.training_flops_per_token(new_model().config, 64)
threads = torch.get_num_threads()
print(f"here, on {threads} CPU threads: about {here:.0e} operations a second")

# %% [markdown]
# On two cores the [Quickstart](00-quickstart.ipynb) reached 0.9 · 10¹¹; a laptop with more
# cores reaches a few times that, and its GPU ten to a hundred times. We compute with 10¹¹:
# divide the last column by what you have measured, in that unit.

# %%
H100, CPU = 0.4 * 989e12, 1e11  # operations per second
hours, years = {}, {}

print(
    f"{'':<14}{'parameters':>12}{'tokens':>9}{'operations':>12}"
    f"{'state':>10}{'H100':>10}{'CPU':>11}"
)
for preset in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"):
    n = n_parameters(preset)
    flops = mg.training_flops_per_token(mg.GPTConfig.preset(preset), 1024) * 20 * n
    hours[preset], years[preset] = flops / H100 / 3600, flops / CPU / 86400 / 365
    print(
        f"{preset:<14}{n / 1e6:>10,.0f} M{20 * n / 1e9:>7.1f} "
        f"G{flops:>12.1e}{16 * n / 2**30:>6.1f} GiB",
        end="",
    )
    print(f"{hours[preset]:>8.1f} h{years[preset]:>9.1f} y")

assert 0.5 < years["gpt2"] < 1 and hours["gpt2"] < 2

# %% [markdown]
# Ten times the parameters are a hundred times the arithmetic, because the text grows
# with the model. *Can I train a large language model on my own computer?* The smallest
# GPT-2, yes: two CPU cores need the better part of a year, a laptop's GPU days to weeks, one
# rented H100 less than two hours. Anything much larger needs several GPUs, or weights that others
# have trained.
#
# `mg.estimate` predicts all of this for hardware by name, with the price:

# %%
print(mg.estimate("gpt2", on="H100"))

# %% [markdown]
# What does the arithmetic buy? The same authors fitted the loss to a formula with $N$
# parameters and $D$ tokens, $L = 1.69 + 406.4 / N^{0.34} + 410.7 / D^{0.28}$ (equation 10;
# nats per token of their vocabulary, on their text). The first term is what remains however
# large the model is; the others fall slowly, as powers:

# %%
for preset in hours:
    n = n_parameters(preset)
    loss = 1.69 + 406.4 / n**0.34 + 410.7 / (20 * n) ** 0.28
    print(f"{preset:<14}{hours[preset]:>7.1f} H100-hours, loss {loss:.2f}")

# %% [markdown]
# Some 150 times the arithmetic lower this loss by a quarter. Such *scaling laws* let one
# choose the size of a model before training it. They hold for the text, the vocabulary and
# the sizes that they were fitted on (44 million to 16 billion parameters).
#
# **Try it yourself.** From which length on does attention cost more than the matrices,
# in GPT-2?
#
# <details>
# <summary>Answer</summary>
#
# Where $6LHE(T+1) = 6P$:
#
# ```python
# from minigpt.cost.flops import matrix_parameters
#
# config = mg.GPTConfig.preset("gpt2")
# print(
#     f"from {matrix_parameters(config) / (config.n_layers * config.d_model) - 1:,.0f} "
#     f"positions on"
# )
# ```
#
# </details>
#
# ## How much does GPT-3 take?
#
# The [seed document](../docs/reference/equations.md) answers: "hundreds of GPUs and tens
# of terabytes of data". Let us check that. The shape of the largest GPT-3 is in Brown and
# others 2020, arXiv:2005.14165, table 2.1; it was trained on 300 billion tokens.

# %%
gpt3 = mg.GPTConfig.preset(
    "gpt2", context_length=2048, d_model=12288, n_heads=96, n_layers=96
)
with torch.device("meta"):
    n = mg.GPT(gpt3).n_parameters
operations = mg.training_flops_per_token(gpt3, 2048) * 300e9
print(f"{n / 1e9:.1f} G parameters, {operations:.2e} operations (table D.1: 3.14e+23)")
print(f"weights, gradients and moments: {16 * n / 1e12:.1f} TB, the memory of")
print(f"{16 * n / 32e9:.0f} V100s with 32 GB or {16 * n / 80e9:.0f} H100s with 80 GB\n")
assert math.isclose(operations, 3.14e23, rel_tol=0.02)
SPEEDS = {"V100, as measured": 24.6e12, "H100, at 40 %": H100, "CPU, as above": CPU}
print(f"{'days on':<20}{'1':>14}{'300':>12}{'10,000':>10}")
for name, speed in SPEEDS.items():
    days = [operations / speed / count / 86400 for count in (1, 300, 10_000)]
    print(f"{name:<20}{days[0]:>14,.0f}{days[1]:>12,.0f}{days[2]:>10,.1f}")

# %% [markdown]
# **Hundreds of GPUs** is right as a lower bound: the state alone fills some ninety
# V100s. OpenAI used more: Patterson and others 2021, arXiv:2104.10350, table 4, report
# 10,000 V100s for 14.8 days, at 24.6 · 10¹² operations a second each, and 1,287 MWh of
# electricity. The last column agrees. 300 V100s would have needed well over a year; 300
# H100s need a month. So the number of GPUs alone says little. It takes three numbers:
# the operations, the speed and the time.
#
# **Tens of terabytes** is right for what was collected: 45 TB of compressed text from
# the web. The filters left 570 GB of it, about 400 billion tokens (section 2.2 of the
# paper), and 60 % of the tokens that the model read came from there (table 2.2, which
# has 410 billion):

# %%
print(f"kept by the filters: {570 / 45_000:.1%} of the crawl")
print(f"{570 / 400:.1f} bytes per token, so the 570 GB must be compressed text, too")
print(f"read of the filtered text: {0.6 * 300 / 410:.0%} of the tokens")
print(f"tokens read per parameter: {300e9 / n:.1f}; about 20 are best")

# %% [markdown]
# *Can I train it on my own computer?* No, the seed document is right: a CPU would need
# a hundred thousand years. Its advice is good, too: rent GPUs, or start from weights
# that others have trained.
#
# ## Data: collecting and cleaning
#
# Nearly 99 % of that crawl was thrown away. A crawl has the same page under many
# addresses, menus, logs, and sometimes the very texts on which a model is tested later.
# A real text with such faults comes with every Python: the docstrings of its standard
# library, written by many people over many years.

# %%
import ast
import random
import sysconfig

SKIPPED = {"test", "tests", "idlelib", "site-packages", "turtledemo"}
DEFINED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
library = Path(sysconfig.get_path("stdlib"))

documents = {}
for file in sorted(library.rglob("*.py"))[: 150 if QUICK else None]:
    inside = file.relative_to(library)
    if not SKIPPED & set(inside.parts):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, DEFINED) and (text := ast.get_docstring(node)):
                name = f"{inside.as_posix()}:{getattr(node, 'lineno', 0)}"
                documents[name] = text

size = sum(map(len, documents.values()))
print(f"Python {sys.version.split()[0]}")
print(f"{len(documents):,} docstrings, {size:,} characters")

# %% [markdown]
# `mg.clean` runs three stages over them. Each stage sees one document at a time and
# says why it removes one. The report counts the reasons, with an example of each:

# %%
print(mg.clean(documents, progress=False))

# %% [markdown]
# **Exact copies** are found by a hash of the normalised text: case, spacing and the
# form of Unicode characters make no difference. Of each document 16 bytes are kept.
#
# **Few words**, **few letters**, **no sentences**: what is poor? No equation says so,
# only rules of thumb. Most of what is removed here has fewer than 20 words, yet many a
# one-line docstring is a perfect sentence. Rules decide what a model learns to write,
# so look at the examples before you trust one. The default rules and their reasons:

# %%
from minigpt.text import ExactDuplicates, NearDuplicates
from minigpt.text.cleaning import QUALITY_RULES

for rule in QUALITY_RULES:
    print(f"{rule.name + ':':<16}{rule.why}")

# %% [markdown]
# ### Copies that are not exact
#
# One changed word hides a copy from a hash. So a text is seen as the set of its
# **shingles**, all runs of five words (five characters, in Chinese). The similarity of
# two texts is the share of their shingles that both have:

# %%
mg.equations.get("jaccard-similarity")

# %% [markdown]
# A billion documents have $5 \cdot 10^{17}$ pairs, too many to compare. **MinHash**
# turns a document into $k$ numbers: the least hash of its shingles, under each of $k$
# hash functions. Of two texts the least hashes are equal if the shingle with the least
# hash is one that both have, and the probability of that is $J$:

# %%
mg.equations.get("minhash-estimate")

# %% [markdown]
# **LSH** (locality-sensitive hashing) finds pairs without comparing all of them.
# The $k = br$ numbers are cut into $b$ bands of $r$, and texts that agree in a whole band
# meet in a hash table. Only texts that meet are compared:

# %%
mg.equations.get("lsh-candidate-probability")

# %% mystnb={"image": {"alt": "S-curves from 0 to 1; more rows in a band make them steeper."}}
s = np.linspace(0, 1, 200)
figure, axes = plt.subplots(figsize=(5.2, 3), layout="constrained")
for r, b in ((2, 60), (6, 20), (12, 10)):
    axes.plot(s, 1 - (1 - s**r) ** b, label=f"{b} bands of {r}")
axes.set(xlabel="Jaccard similarity of two texts", ylabel="probability to meet")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# The library takes 20 bands of 6. Nearly all pairs with a similarity of 0.8 meet, and
# from there on a text counts as a copy by default; of pairs with 0.4 few meet.
#
# ### Contamination: the test in the training text
#
# Split the docstrings at random, nine tenths to learn from and one tenth to be tested
# on. How many 13-grams of the test, 13 words in a row, are also in the training text?
# (GPT-3 was checked with this length.) Before and after copies are removed:

# %%
order = list(documents)
random.Random(0).shuffle(order)
tested, shares = set(order[::10]), []
CLEANINGS = {
    "nothing removed": [],
    "exact copies": [ExactDuplicates()],
    "and similarity 0.8": [ExactDuplicates(), NearDuplicates(0.8)],
    "and similarity 0.5": [ExactDuplicates(), NearDuplicates(0.5)],
}

print("removed               documents   13-grams   tests, half known   wholly known")
for name, stages in CLEANINGS.items():
    found = mg.clean({key: documents[key] for key in order}, stages, progress=False)
    kept = [order[i] for i in found.kept]
    test = {key: documents[key] for key in kept if key in tested}
    train = {key: documents[key] for key in kept if key not in tested}
    overlap = mg.contamination(train, test, worst=len(test), progress=False)
    half = sum(each.share >= 0.5 for each in overlap.worst)
    whole = sum(each.share == 1 for each in overlap.worst)
    shares.append(overlap.share)
    print(f"{name:<20}{len(kept):>11,}{overlap.share:>11.1%}{half:>20}{whole:>15}")

assert QUICK or shares[-1] < shares[0]

# %% [markdown]
# On a test document that is wholly known a model shows its memory, nothing else.
# Removing copies *before* the split takes nearly all of these away. Passages remain,
# which are repeated in documents that differ otherwise, and a comparison of whole
# documents does not find them. So measure the contamination of every test.
#
# **Try it yourself.** `pydoc_data.topics` has the language reference of Python, 70 to
# 80 topics. How many topics are copies, and how many paragraphs?
#
# <details>
# <summary>Answer</summary>
#
# Hardly a topic, but (in Python 3.11) a fifth of the paragraphs. What counts as a
# document decides what counts as a copy.
#
# ```python
# from pydoc_data.topics import topics
#
# parts = [part for text in topics.values() for part in text.split("\n\n")]
# for each in (topics, [part for part in parts if part.strip()]):
#     print(mg.clean(each, [ExactDuplicates(), NearDuplicates()], progress=False))
# ```
#
# </details>
#
# For files there is a command, `minigpt clean texts --out cleaned`; [Train on your own
# text](../docs/howto/train-on-your-own-text.md) describes it.
#
# ## Read on
#
# - [Fused attention](12-fused-attention.ipynb): what fills the memory of *one* GPU, and
#   how not to.
# - Micikevicius and others 2018, arXiv:1710.03740 (mixed precision); Chen and others
#   2016, arXiv:1604.06174 (activation checkpointing); Rajbhandari and others 2020,
#   arXiv:1910.02054 (sharding, as in FSDP).
# - Lee and others 2022, arXiv:2107.06499 (what duplicates in training texts do to a model).
# - `minigpt/training/loop.py`: the training loop, thirty lines in which all of this meets.
