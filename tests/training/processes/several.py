"""Training on several processes as the tests run it: what is trained, and what each process does under torchrun.

``torchrun … several.py FOLDER NAME …`` carries out the named scenarios; what process r saw goes to FOLDER/rank-r.json.
"""

import json
import math
import os
import signal
import sys
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from torch import distributed as dist

import minigpt as mg
from minigpt.text import RowDataset
from minigpt.text.datasets.rows import Row
from minigpt.training import OPTIMIZERS, LossModule, TrainConfig, accumulate_gradients, split_loss
from minigpt.training.optim import fast_clip_by_norm
from minigpt.training.processes.distributed import join_world
from minigpt.training.processes.strategies import wrap
from minigpt.training.run_state import RunState

TEXT = "the cat sat on the mat. the dog sat on the log. " * 20
TOKENIZER = mg.CharTokenizer.train(TEXT)
STRATEGIES = ("ddp", "zero", "fsdp")
LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
CONFIG = {"steps": 12, "batch_size": 8, "learning_rate": 0.01, "eval_every": 6, "checkpoint_every": 6, "device": "cpu"}


def make_model(seed=0, **changes):
    small = {"context_length": 16, "d_model": 16, "n_heads": 2, "n_layers": 2}
    config = mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, **{**small, **changes})
    return mg.GPT(config, generator=torch.Generator().manual_seed(seed))


def windows():
    return mg.TokenDataset.from_text(TEXT, TOKENIZER, 16)


def ragged():
    """Rows of 2 to 15 tokens, of which only the last few count: each process gets another share of what counts."""

    def row(i):
        length, counted = 2 + 5 * i % 14, 1 + i % 4
        ids = TOKENIZER.encode(TEXT[7 * i : 7 * i + length])
        return Row(ids, [j >= length - counted for j in range(length)])

    return RowDataset(row, 45, 16, TOKENIZER.vocab_size, "ragged")


DATA = {"windows": windows, "ragged": ragged}


def train(data, model=None, *, out=None, resume=False, **changes):
    """The losses of a run, step by step, and those on the validation split."""
    model = make_model() if model is None else model
    config = TrainConfig(**{**CONFIG, **changes})
    history = mg.train(
        model, data, config, validation=data, tokenizer=TOKENIZER, out=out, resume=resume, progress=False
    )
    return {name: history.column(name)[1] for name in ("loss", "validation_loss", "gradient_norm")}


def rank():
    return int(os.environ["RANK"])


class Data:
    """Data that does something before it gives a batch."""

    def __init__(self, data, before):
        self.data, self.before = data, before

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, batch_size, **options):
        self.before(step, options)
        return self.data.batch(step, batch_size, **options)


def stop_before(n, on_rank=0):
    """The signal to end a run after its n-th step."""

    def interrupt(step, options):
        if step == n - 1 and options["rank"] == on_rank:
            os.kill(os.getpid(), signal.SIGTERM)

    return interrupt


def losses(folder, strategy, data):
    """Every process starts from other weights; those of rank 0 are to count."""
    return train(DATA[data](), make_model(rank()), strategy=strategy, micro_batch_size=2, out=folder / strategy / data)


def with_optimizer(name, **changes):
    """A few steps with an optimizer and an average of the weights."""
    return train(windows(), steps=4, optimizer=name, ema=0.5, **changes)["validation_loss"]


def sharded(folder, *, resume=False):
    """A sharded checkpoint after half the steps; then, if resumed, on from there."""
    out = folder / "sharded"
    data = windows() if resume else Data(windows(), stop_before(6))
    return train(
        data, make_model(rank()), strategy="fsdp", micro_batch_size=2, sharded_checkpoints=True, out=out, resume=resume
    )


def called_after(folder, strategy):
    """The model itself is called after training, by both processes."""
    model = make_model(rank())
    found = train(windows(), model, strategy=strategy, loss="chunked", ema=0.5, steps=4)
    with torch.no_grad():
        logits = [model(windows().batch(0, 2)[0]) for _ in range(2)]
    names = [name for name, _ in model.named_parameters()]
    return {
        "logits": logits[1].sum().item(),
        "shape": list(logits[0].shape),
        "names": names,
        "validation": split_loss(model, windows()).mean,
        "history": found["validation_loss"][-1],
    }


def resumed(folder, strategy):
    """Goes on in the folder of one process."""
    return train(windows(), make_model(rank()), strategy=strategy, out=folder / f"one-for-{strategy}", resume=True)


def stopped(folder, strategy):
    """A signal reaches rank 1 alone."""
    return train(Data(windows(), stop_before(3, on_rank=1)), strategy=strategy, out=folder / f"stopped-{strategy}")


def poisoned(folder):
    """The loss is no number in one step of rank 1."""
    model, calls = make_model(), iter(range(100))

    def poison(module, arguments, logits):
        return logits * float("nan") if module.training and rank() == 1 and next(calls) == 1 else logits

    model.register_forward_hook(poison)
    found = train(windows(), model)
    return {**found, "finite": all(bool(torch.isfinite(p).all()) for p in model.parameters())}


def first_logits(folder):
    """All processes get the same rows; they differ by their dropout."""

    def same_rows(step, options):
        options["rank"] = 0

    model, sums = make_model(dropout=0.5), []
    model.register_forward_hook(lambda module, arguments, logits: sums.append(logits.sum().item()))
    train(Data(windows(), same_rows), model, steps=1)
    return sums[0]


def refusals(folder):
    """The messages for batches that can't be shared."""
    messages = []
    for changes in ({"batch_size": 5}, {"batch_size": 1}, {"batch_size": 12, "micro_batch_size": 4}):
        try:
            train(windows(), **changes)
        except ValueError as error:
            messages.append(str(error))
    return messages


def disagreements(folder):
    """The messages where rank 1 was given another text, seed, rate, shape or tokenizer, or no validation split."""
    other = rank() == 1
    text = TEXT.replace("cat", "tac") if other else TEXT
    changed = mg.TokenDataset.from_text(text, TOKENIZER, 16)
    tokenizer = mg.CharTokenizer.train(TEXT[:-1] + "!") if other else TOKENIZER
    config = TrainConfig(**CONFIG)
    wider = TrainConfig(**CONFIG, **({"seed": 7, "weight_decay": 0.5} if other else {}))
    runs = {
        "the training data": (make_model(), changed, config, None, TOKENIZER),
        "the validation data": (make_model(), windows(), config, None if other else windows(), TOKENIZER),
        "settings": (make_model(), windows(), wider, None, TOKENIZER),
        "the shape": (make_model(n_layers=1 + rank()), windows(), config, None, TOKENIZER),
        "the tokenizer": (make_model(), windows(), config, None, tokenizer),
    }
    found = {}
    for name, (model, data, how, validation, words) in runs.items():
        try:
            mg.train(model, data, how, validation=validation, tokenizer=words, progress=False)
        except ValueError as error:
            found[name] = str(error)
    return found


def gradient_travels(folder):
    """How often gradients travel in one update of four micro-steps."""
    found = {}
    with join_world("cpu") as world:
        inputs, targets = windows().batch(0, 8, rank=world.rank, world_size=2)
        wrapped, travels = wrap(LossModule(make_model()), "ddp", world), []

        def hook(state, bucket):
            travels.append(bucket.index())
            done = dist.all_reduce(bucket.buffer().div_(2), async_op=True).get_future()
            return done.then(lambda future: future.value()[0])

        wrapped.register_comm_hook(None, hook)
        accumulate_gradients(wrapped, inputs, targets, 1, world=world)
        found["ddp"] = len(travels)
        name = "reduce_scatter_single" if hasattr(dist, "reduce_scatter_single") else "reduce_scatter_tensor"
        with patch.object(dist, name, wraps=getattr(dist, name)) as counted:
            accumulate_gradients(wrap(LossModule(make_model()), "fsdp", world), inputs, targets, 1, world=world)
        found["fsdp"] = counted.call_count
    return found


def apart(folder):
    """The message where each process was given a folder of its own for shards."""
    try:
        train(windows(), strategy="fsdp", sharded_checkpoints=True, out=folder / f"apart-{rank()}")
    except ValueError as error:
        return str(error)


def zero_from_shards(folder):
    """A run on shards, stopped after half its steps, goes on with a shared optimizer."""
    out = folder / "sharded-for-zero"
    half = Data(windows(), stop_before(6))
    train(half, make_model(rank()), strategy="fsdp", sharded_checkpoints=True, out=out)
    return train(windows(), strategy="zero", out=out, resume=True)


def zero_shares(folder):
    """Which moments of AdamW this process keeps, in numbers; and those of all."""
    with join_world("cpu") as world:
        run = RunState(make_model(), TrainConfig(**CONFIG, strategy="zero").resolved(16), windows(), world=world)
        moments = [t for p in run.model.parameters() for t in run.optimizer.state_of(p).values()]
        kept = sum(t.numel() for t in moments if not t.is_meta)
    return {"kept": kept, "all": sum(t.numel() for t in moments)}


PRECISIONS = ("bf16", "fp16")
PARTS = {
    "gpt2": {},
    "llama": {
        "norm": "rms",
        "position": "rope-half",
        "mlp": "swiglu",
        "bias": False,
        "qk_norm": True,
        "convolution": 3,
    },
}


def narrow(parts, precision, seed=0, **changes):
    """A model of some parts in 16 bits; under fsdp its blocks are fetched in them."""
    return train(windows(), make_model(seed, **PARTS[parts]), precision=precision, **changes)


def narrow_in_shards(folder):
    """In 16 bits on shards: the losses, what a block is fetched in, and what the optimizer keeps."""
    found = {}
    for parts in PARTS:
        for precision in PRECISIONS:
            options = {"strategy": "fsdp", "micro_batch_size": 2, "out": folder / f"narrow-{parts}-{precision}"}
            found[f"{parts} {precision}"] = narrow(parts, precision, rank(), **options)
    model, seen = make_model(), set()
    model.blocks[0].mlp.expand.register_forward_hook(lambda module, *_: seen.add(str(module.weight.dtype)))
    model.blocks[0].register_forward_hook(lambda module, given, y: seen.add(f"stream {y.dtype}"))
    train(windows(), model, precision="bf16", strategy="fsdp", steps=2)
    with torch.no_grad():
        logits = model(windows().batch(0, 2)[0])
    found["seen"] = sorted(seen)
    found["kept"] = sorted({str(p.dtype) for p in model.parameters()})
    found["logits"] = str(logits.dtype)
    return found


def narrow_resumed(folder):
    """Goes on in 16 bits, on shards, in the folder of one process."""
    out = folder / "one-for-narrow"
    return narrow("gpt2", "bf16", rank(), strategy="fsdp", out=out, resume=True)["loss"]


def half_silent():
    """Batches of which the first three rows alone count, so that rank 1 has no target and rank 0 has three rows."""

    class HalfSilent(Data):
        def batch(self, step, batch_size, *, seed=0, rank=0, world_size=1):
            inputs, targets = self.data.batch(step, batch_size, seed=seed)
            targets[3:] = -100
            rows = slice(rank * batch_size // world_size, (rank + 1) * batch_size // world_size)
            return inputs[rows], targets[rows]

    return HalfSilent(windows(), None)


def silent():
    """Batches without a target that counts, from step 2 on."""

    class Silent(Data):
        def batch(self, step, batch_size, **options):
            inputs, targets = self.data.batch(step, batch_size, **options)
            return inputs, targets if step < 2 else torch.full_like(targets, -100)

    return Silent(windows(), None)


def silences(folder):
    """What becomes of shares and of batches without a target, by strategy and loss."""
    found = {}
    for strategy in STRATEGIES:
        for loss in ("logits", "chunked"):
            options = {"strategy": strategy, "loss": loss, "micro_batch_size": 1, "eval_every": 0}
            found[f"{strategy} {loss}"] = train(half_silent(), make_model(rank()), label_smoothing=0.1, **options)
        try:
            train(silent(), make_model(rank()), strategy=strategy)
        except ValueError as error:
            found[f"{strategy} message"] = str(error)
    return found


def experts(**changes):
    """A model with experts; the tokens that are balanced are those of each micro-batch of each process."""
    model = make_model(n_experts=3, n_active_experts=2, init_std=0.3)
    return train(windows(), model, steps=4, eval_every=4, balance=0.5, **changes)


def huge_gradients(folder):
    """The norm of sharded gradients of which a square is beyond float32, and the norm after they are clipped."""
    with join_world("cpu") as world:
        inputs, targets = windows().batch(0, 8, rank=world.rank, world_size=2)
        wrapped = wrap(LossModule(make_model()), "fsdp", world)
        accumulate_gradients(wrapped, inputs, targets, 1, world=world)
        found = {}
        for name, factor in {"usual": 1.0, "huge": 1e25, "infinite": math.inf}.items():
            gradients = [parameter.grad.clone() for parameter in wrapped.parameters()]
            parameters = [torch.zeros_like(gradient) for gradient in gradients]
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient * factor
            found[name] = [fast_clip_by_norm(parameters, 0.25).item(), fast_clip_by_norm(parameters, 9.0).item()]
    return found


SCENARIOS = {
    **{f"{s} {data}": partial(losses, strategy=s, data=data) for s in STRATEGIES for data in DATA},
    "fsdp sharded": lambda folder: sharded(folder),
    "fsdp sharded, resumed": lambda folder: sharded(folder, resume=True),
    **{f"{s} resumed": partial(resumed, strategy=s) for s in STRATEGIES},
    "zero from shards": zero_from_shards,
    "zero shares": zero_shares,
    "apart": apart,
    **{f"{s} stopped": partial(stopped, strategy=s) for s in STRATEGIES},
    "poisoned": poisoned,
    "first logits": first_logits,
    "refusals": refusals,
    "disagreements": disagreements,
    "optimizers": lambda folder: {
        strategy: {name: with_optimizer(name, strategy=strategy) for name in OPTIMIZERS}
        for strategy in ("zero", "fsdp")
    },
    "chunked": lambda folder: {s: train(windows(), strategy=s, loss="chunked") for s in STRATEGIES},
    "experts": lambda folder: {s: experts(strategy=s) for s in STRATEGIES},
    "called after": lambda folder: {s: called_after(folder, s) for s in STRATEGIES},
    "gradient travels": gradient_travels,
    "huge gradients": huge_gradients,
    "narrow": narrow_in_shards,
    "narrow, resumed": narrow_resumed,
    "silences": silences,
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, *names = sys.argv[1:]
    results = {name: SCENARIOS[name](Path(folder)) for name in names}
    (Path(folder) / f"rank-{rank()}.json").write_text(json.dumps(results))
