"""The training steps that are measured: ours as the loop takes it, and those of the peers as theirs take it.

Each is one update on a batch that is given: forward and backward pass, clipping, optimizer.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from minigpt.bench.peer import checkout_model, peer_model, quiet_peers
from minigpt.bench.turns import CPU
from minigpt.model import GPT, GPTConfig
from minigpt.runs.recipes import RECIPES
from minigpt.text import TokenDataset
from minigpt.training import RunState, TrainConfig, accumulate_gradients
from minigpt.training.blocks import run_blocks
from minigpt.training.precision import Precision
from minigpt.training.processes.device import choose_device
from minigpt.training.step import update

Step = Callable[[Tensor, Tensor], object]
N_CHARACTERS = 65  # in Tiny Shakespeare
RATE = 1e-3  # of every update; it changes no time


@dataclass(frozen=True)
class Shape:
    """A model and a batch: L layers, H heads, D wide; B sequences of T tokens; V tokens in the vocabulary."""

    n_layers: int
    n_heads: int
    d_model: int
    n_positions: int
    batch_size: int
    vocab_size: int = N_CHARACTERS

    def __str__(self) -> str:
        vocabulary = "" if self.vocab_size == N_CHARACTERS else f", V {self.vocab_size:,}"
        return f"{self.n_layers} × {self.d_model}, T {self.n_positions}, B {self.batch_size}{vocabulary}"

    @property
    def config(self) -> GPTConfig:
        """The model of this shape, of GPT-2's parts; of characters, unless the vocabulary is larger."""
        return GPTConfig(context_length=self.n_positions, **self._sizes())

    @property
    def fast_config(self) -> GPTConfig:
        """The same of the parts of the recipe "fast"."""
        return GPTConfig(context_length=self.n_positions, **{**RECIPES["fast"].model, **self._sizes()})

    def _sizes(self) -> dict[str, Any]:
        return {name: size for name, size in asdict(self).items() if name not in ("n_positions", "batch_size")}


class Contender(NamedTuple):
    """One way to train a shape.

    Attributes:
        library: "minigpt", "minigpt fast" (the recipe, with Muon), "transformers" or "nanoGPT".
        precision: "fp32" or "bf16"; of ours, any other of the training's, such as "bf16-weights".
        compiled: whether ``torch.compile`` made the program: of the blocks of ours, of a peer's whole model.
    """

    library: str
    precision: str = "fp32"
    compiled: bool = False

    def __str__(self) -> str:
        precision = "float32" if self.precision == "fp32" else self.precision
        return f"{self.library} {precision}{' compiled' if self.compiled else ''}"

    @property
    def products(self) -> str:
        """The precision of its large products: "fp32", "bf16" or "fp16"."""
        return self.precision.partition("-")[0]


def contenders_step(
    contender: Contender, shape: Shape, device: torch.device = CPU, checkout: Path | None = None
) -> tuple[GPTConfig, Step]:
    """A contender's step at a shape, and the configuration of ours that counts its operations.

    Args:
        contender: which.
        shape: of the model.
        device: where it trains.
        checkout: the folder of nanoGPT, for the contender of that name.

    Raises:
        ImportError: if transformers is needed and is not installed.
        ValueError: if the checkout can't be used.
    """
    config = shape.fast_config if contender.library == "minigpt fast" else shape.config
    settings: dict[str, Any] = {"device": str(device), "precision": contender.precision, "compile": contender.compiled}
    if contender.library == "minigpt fast":
        recipe = {**RECIPES["fast"].training, "optimizer": "muon", "learning_rate": RATE, **settings}
        return config, our_step(config, TrainConfig(**recipe))
    if contender.library == "minigpt":
        return config, our_step(config, TrainConfig(**settings))
    if contender.library == "nanoGPT":
        if checkout is None:
            raise ValueError("nanoGPT is measured from a checkout of it; give its folder")
        return config, _checkout_step(config, contender, device, checkout)
    return config, peer_step(config, contender, device)


def our_step(config: GPTConfig, training: TrainConfig | None = None) -> Step:
    """One update of our GPT as the loop makes it, on a batch that is given.

    Args:
        config: the model.
        training: how it is trained; the defaults on the CPU, unless given.
    """
    training = replace(training or TrainConfig(device="cpu"), batch_size=1)
    data = TokenDataset(torch.zeros(2 * config.context_length, dtype=torch.int64), config.context_length, vocab_size=1)
    model = GPT(config).to(choose_device(training.device)).train()
    run, blocks = RunState(model, training, data), ExitStack()
    blocks.enter_context(
        run_blocks(run.wrapper, recomputed=training.activation_checkpointing, compiled=training.compile)
    )

    def step(inputs: Tensor, targets: Tensor) -> object:
        def gradient() -> tuple[float, int]:
            return accumulate_gradients(run.wrapper, inputs, targets, len(inputs), run.precision), inputs.numel()

        return update(run, gradient, RATE), blocks  # the blocks stay compiled for as long as there is a step

    return step


def peer_step(config: GPTConfig, contender: Contender | None = None, device: torch.device = CPU) -> Step:
    """One update of transformers' GPT-2, with its own loss and clipping, and the optimizer of its ``Trainer``.

    Args:
        config: whose sizes it has.
        contender: in which precision, and whether compiled; as it comes, unless given.
        device: where it trains.

    Raises:
        ImportError: if transformers is not installed.
    """
    contender = contender or Contender("transformers")
    with quiet_peers():
        model = peer_model(config, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.1, fused=True)

    def loss(forward: Any, inputs: Tensor, _: Tensor) -> Tensor:
        nats: Tensor = forward(input_ids=inputs, labels=inputs).loss  # it shifts the labels itself
        return nats

    return _peers_update(model, optimizer, loss, contender, device)


def _checkout_step(config: GPTConfig, contender: Contender, device: torch.device, checkout: Path) -> Step:
    """One update of nanoGPT, as its train.py has it."""
    model = checkout_model(checkout, config).to(device).train()
    with quiet_peers():
        optimizer = model.configure_optimizers(0.1, RATE, (0.9, 0.99), device.type)

    def loss(forward: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        nats: Tensor = forward(inputs, targets)[1]
        return nats

    return _peers_update(model, optimizer, loss, contender, device)


def _peers_update(
    model: Any,
    optimizer: torch.optim.Optimizer,
    loss: Callable[..., Tensor],
    contender: Contender,
    device: torch.device,
) -> Step:
    forward: Any = torch.compile(model) if contender.compiled else model
    autocast = Precision(contender.precision, device).autocast

    def step(inputs: Tensor, targets: Tensor) -> None:
        with quiet_peers():
            with autocast():
                nats = loss(forward, inputs.to(device), targets.to(device))
            nats.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    return step
