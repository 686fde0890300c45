"""The command that nanoGPT's README has for a CPU, whose loss it says is 1.88: its settings and its models.

::

    python train.py config/train_shakespeare_char.py --device=cpu --compile=False --eval_iters=20 --log_interval=1
        --block_size=64 --batch_size=12 --n_layer=4 --n_head=4 --n_embd=128 --max_iters=2000
        --lr_decay_iters=2000 --dropout=0.0

Its model and its optimizer are restated here in the parts of this library; and nanoGPT's own ``model.py`` is used with
PyTorch's AdamW where a checkout of it is at hand. Both are trained in float32, as nanoGPT trains on a CPU.

Source: https://github.com/karpathy/nanoGPT, commit 3adf61e.
"""

import contextlib
import importlib.util
import io
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from minigpt.files.paths import as_path
from minigpt.model import GPT, GPTConfig
from minigpt.text import TokenDataset
from minigpt.training import RunState, TrainConfig, accumulate_gradients
from minigpt.training.step import update

#: The settings of nanoGPT's command, by its names for them.
PUBLISHED: dict[str, Any] = {
    "n_layer": 4,
    "n_head": 4,
    "n_embd": 128,
    "block_size": 64,
    "bias": False,
    "dropout": 0.0,
    "batch_size": 12,
    "max_iters": 2000,
    "lr_decay_iters": 2000,
    "warmup_iters": 100,
    "learning_rate": 1e-3,
    "min_lr": 1e-4,
    "beta1": 0.9,
    "beta2": 0.99,
    "weight_decay": 0.1,
    "grad_clip": 1.0,
}
PUBLISHED_LOSS = 1.88  # of the README, over 20 random batches
NANOGPT_SEED = 1337  # nanoGPT's

RatedStep = Callable[[Tensor, Tensor, float], None]  # an update from inputs and targets at a learning rate


class RatedModel(NamedTuple):
    """What is trained.

    Attributes:
        name: what the report calls it.
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        step: one update.
    """

    name: str
    model: nn.Module
    step: RatedStep


def nanogpt_rate(t: int) -> float:
    """The learning rate of update ``t``, counted from 0, as nanoGPT's ``get_lr`` has it.

    Args:
        t: the update.
    """
    peak, least, warmup = PUBLISHED["learning_rate"], PUBLISHED["min_lr"], PUBLISHED["warmup_iters"]
    if t < warmup:
        return float(peak * (t + 1) / (warmup + 1))
    share = min(1.0, (t - warmup) / (PUBLISHED["lr_decay_iters"] - warmup))
    return float(least + (1 + math.cos(math.pi * share)) / 2 * (peak - least))


def restated_config(vocab_size: int) -> GPTConfig:
    """The model of nanoGPT in the parts of this library.

    Args:
        vocab_size: V.
    """
    return GPTConfig(
        vocab_size=vocab_size,
        context_length=PUBLISHED["block_size"],
        d_model=PUBLISHED["n_embd"],
        n_layers=PUBLISHED["n_layer"],
        n_heads=PUBLISHED["n_head"],
        position="learned",
        norm="layer",
        mlp="gelu",
        bias=PUBLISHED["bias"],
        dropout=PUBLISHED["dropout"],
    )


def restated(data: TokenDataset) -> RatedModel:
    """The model and the optimizer of nanoGPT in the parts of this library.

    Args:
        data: the training split.
    """
    model = GPT(restated_config(data.vocab_size), generator=torch.Generator().manual_seed(NANOGPT_SEED))
    with torch.no_grad():  # a GPT of ours starts its positions half as wide
        model.get_parameter("position.embedding.weight").mul_(2)
    config = TrainConfig(
        device="cpu",
        steps=PUBLISHED["max_iters"],
        batch_size=PUBLISHED["batch_size"],
        beta_1=PUBLISHED["beta1"],
        beta_2=PUBLISHED["beta2"],
        weight_decay=PUBLISHED["weight_decay"],
        clip_norm=PUBLISHED["grad_clip"],
        precision="fp32",
    )
    run = RunState(model.train(), config, data)

    def step(inputs: Tensor, targets: Tensor, rate: float) -> None:
        def gradient() -> tuple[float, int]:
            return accumulate_gradients(run.loss, inputs, targets, len(inputs)), inputs.numel()

        update(run, gradient, rate)

    return RatedModel("nanoGPT's command in minigpt's parts", model, step)


class _Logits(nn.Module):
    """A model of nanoGPT with logits for every position, which it returns only beside a loss."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.model(ids, ids)[0]
        return logits


def nanogpt_peer(checkout: str | Path, vocab_size: int) -> RatedModel:
    """The model of nanoGPT itself with its optimizer, from a checkout.

    Args:
        checkout: the folder that has its ``model.py``, which is run.
        vocab_size: V.

    Raises:
        ValueError: if the folder has no such file, or it is not nanoGPT's.
    """
    file = as_path(checkout, "peer_checkout") / "model.py"
    if not file.is_file():
        raise ValueError(f"{file} does not exist; clone https://github.com/karpathy/nanoGPT and name its folder")
    spec = importlib.util.spec_from_file_location("nanogpt_model", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    if not hasattr(module, "GPT") or not hasattr(module, "GPTConfig"):
        raise ValueError(f"{file} has no GPT and GPTConfig, so it is not nanoGPT's; name the folder of its checkout")
    shape = {name: PUBLISHED[name] for name in ("n_layer", "n_head", "n_embd", "block_size", "bias", "dropout")}
    betas = (PUBLISHED["beta1"], PUBLISHED["beta2"])
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng():  # it prints, and draws from the global one
        torch.manual_seed(NANOGPT_SEED)
        model = module.GPT(module.GPTConfig(vocab_size=vocab_size, **shape))
        optimizer = model.configure_optimizers(PUBLISHED["weight_decay"], PUBLISHED["learning_rate"], betas, "cpu")

    def step(inputs: Tensor, targets: Tensor, rate: float) -> None:
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, loss = model(inputs, targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), PUBLISHED["grad_clip"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return RatedModel("nanoGPT's own model.py", _Logits(model), step)
