"""A run in memory, and its way to a checkpoint and back."""

import dataclasses
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.model import GPT, GPTConfig
from minigpt.model.initialisation import shapes_alone
from minigpt.settings import to_object
from minigpt.text import Dataset, Tokenizer
from minigpt.training.averaging import WeightAverage
from minigpt.training.config import TrainConfig
from minigpt.training.execution.choosing import precision_of, with_precision
from minigpt.training.execution.precision import PRECISIONS, Precision
from minigpt.training.execution.sixteen_bits import SixteenBitLoss
from minigpt.training.losses import LossModule
from minigpt.training.optim import EquationOptimizer
from minigpt.training.processes.distributed import ALONE, World
from minigpt.training.processes.shared_optimizer import SharedOptimizer
from minigpt.training.processes.strategies import gathered, make_callable, wrap
from minigpt.training.safety.parts import describe_model
from minigpt.training.safety.spikes import SpikeWatch, Usual
from minigpt.training.same_run import check_same_run, shards_of, tell_other_threads
from minigpt.training.storage.checkpoint import Checkpoint
from minigpt.training.storage.own_parts import check_own_parts, own_parts, refuse_own_parts
from minigpt.training.update import build_optimizer
from minigpt.training.weights import check_fit, dtype_of, load_weights, weights_of


@dataclass
class RunState:
    """What the training loop works on; together with the step it decides everything that follows.

    Attributes:
        model: in training mode, on its device.
        config: how it is trained, with its rules resolved and a precision other than "auto".
        data: what it learns from.
        tokenizer: what turned text into the data's ids, if known.
        world: the processes that train together.
        loss: the summed loss of the model, as a module.
        wrapper: what is called to train: the loss, or what lets several processes add up their gradients around it.
        average: of the model's weights over its updates, if it is wanted.
        optimizer: of the parameters that wrapping leaves.
        precision: how it computes, with the loss scale of the next step.
        spikes: what the loss and the gradient norm usually are.
        bad_steps: steps in a row, up to now, without a finite gradient.
        own_parts: the parts of the model that its configuration does not describe, which a checkpoint names.
        shards: what tells the files that the data is read from, if it is, from files that have changed since.
    """

    model: nn.Module
    config: TrainConfig
    data: Dataset
    tokenizer: Tokenizer | None = None
    world: World = ALONE
    loss: LossModule = field(init=False)
    wrapper: nn.Module = field(init=False)
    average: WeightAverage | None = field(init=False)
    optimizer: EquationOptimizer | SharedOptimizer = field(init=False)
    precision: Precision = field(init=False)
    spikes: SpikeWatch = field(init=False)
    bad_steps: int = field(init=False, default=0)
    own_parts: dict[str, str] = field(init=False)
    shards: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        config = self.config = with_precision(self.config, self.model, self.world)
        self.world.micro_batch(config.batch_size, config.micro_batch_size)  # refuses a batch that can't be shared
        self.own_parts = own_parts(self.model)
        self.loss = LossModule(self.model, config.loss, config.label_smoothing, config.balance)
        self.compute_in(config.precision)
        self.average = WeightAverage(self.model, config.ema) if config.ema else None
        self.spikes = SpikeWatch(config.spike_threshold)
        self.shards = shards_of(self.data)

    def compute_in(self, precision: str) -> None:
        """Compute in this precision, a name as in the configuration; later than at first, in one process alone.

        Raises:
            ValueError: if the device or the model can't.
        """
        self.precision = precision_of(self.model, precision, self.world)
        self.wrapper = wrap(self.loss, self.config.strategy, self.world, PRECISIONS[self.precision.name])
        if self.precision.name == "bf16-weights":
            self.wrapper = SixteenBitLoss(self.loss)
        config = dataclasses.replace(self.config, precision=self.precision.name)  # type: ignore[arg-type]
        self.config = self.config if self.config.precision == "auto" else config
        self.optimizer = build_optimizer(self.model, config, self.world)

    @property
    def computes(self) -> LossModule:
        """The loss whose modules compute in training: that of the 16-bit copy, if there is one."""
        return self.wrapper.module if isinstance(self.wrapper, SixteenBitLoss) else self.loss

    @property
    def saves_shards(self) -> bool:
        """Whether each process writes its part of a checkpoint."""
        return self.config.sharded_checkpoints and self.world.size > 1

    def evaluates_after(self, step: int) -> bool:
        """Whether the validation split is evaluated after this step (counted from 0)."""
        return self.config.is_due(step, self.config.eval_every)

    def update(self) -> None:
        """Let the optimizer change the weights, and take them into their average."""
        self.optimizer.step()
        if self.average is not None:
            self.average.update(self.model)

    def averaged(self) -> AbstractContextManager[None]:
        """Inside, the model has the averaged weights, if there are any."""
        return nullcontext() if self.average is None else self.average.in_use(self.model)

    def finish(self) -> None:
        """Leave the model ready to use: with the averaged weights, if there are any, and without dropout."""
        if self.average is not None:
            self.average.copy_to(self.model)
        make_callable(self.model, self.loss, self.precision.autocast)
        self.model.eval()

    def snapshot(self, step: int) -> Checkpoint:
        """All that decides how the run continues after ``step`` updates; every process must ask for it.

        Its tensors are the run's own where they are not sharded. Sharded ones, and the moments that another process
        keeps, are whole and on the CPU of rank 0; or stay what they are, if each process is to save its part. Where
        there is an average, it takes the place of the model's weights, since those are loaded later, and the raw
        weights are kept beside the moments.
        """
        weights, moments = self._weights(), self._moments()
        if not self.saves_shards:
            weights, moments = (gathered(tensors, self.world) for tensors in (weights, moments))
        beside = {"carried": self._carried(), "threads": torch.get_num_threads(), "own_parts": self.own_parts}
        state = {**self._description(), **beside}
        return Checkpoint(step=step, model=weights, optimizer=moments, state=state)

    def restore(self, checkpoint: Checkpoint) -> int:
        """Put a snapshot back, in place; nothing is changed if it doesn't fit.

        Returns:
            How many updates the snapshot has behind it.

        Raises:
            ValueError: naming each field in which the snapshot's run differs from this one, or a tensor that does not
                fit.
        """
        own, weights, moments = self._description(), self._weights(), self._moments()
        check_own_parts(checkpoint.state, self.own_parts)
        saved = {name: checkpoint.state[name] for name in own}
        if "shards" not in saved["data"]:  # saved before shards were looked at
            own["data"].pop("shards", None)
        for name in ("balance", "orthogonal"):
            if name not in saved["train_config"]:  # saved before there was a choice
                own["train_config"].pop(name)
        if self.config.compile == "auto" and isinstance(chosen := saved["train_config"].get("compile"), bool):
            self.config, own["train_config"]["compile"] = dataclasses.replace(self.config, compile=chosen), chosen
        if saved["train_config"].get("precision") == "auto":  # saved before the choice was kept
            own["train_config"]["precision"] = "auto"
        check_same_run(saved, own)
        carried = checkpoint.state.get("carried")
        if not isinstance(carried, dict) or _types(carried) != _types(self._carried()):
            raise ValueError(f"the checkpoint does not say {', '.join(self._carried())}")
        check_fit(weights, checkpoint.model, "the weights do")
        check_fit(moments, checkpoint.optimizer, "the optimizer's tensors do")
        if self.precision.device.type == "cpu":
            tell_other_threads(checkpoint.state.get("threads"), torch.get_num_threads())
        checkpoint.copy_to(weights, moments)
        self._take_up(carried)
        return checkpoint.step

    def _weights(self) -> dict[str, Tensor]:
        weights = weights_of(self.model)
        return weights if self.average is None else {**weights, **self.average.weights}

    def _moments(self) -> dict[str, Tensor]:
        moments = {
            f"{name}.{key}": value
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
            for key, value in self.optimizer.state_of(parameter).items()
        }
        if self.average is None:
            return moments
        raw = {f"{name}.raw": weights for name, weights in weights_of(self.model).items()}
        return {**moments, **raw, "average.n_updates": self.average.n_updates}

    def _carried(self) -> dict[str, Any]:
        """What the loop remembers from step to step, apart from weights and moments."""
        return {
            "bad_steps": self.bad_steps,
            "loss_scale": self.precision.scale,
            "loss_scale_streak": self.precision.streak,
            "spikes_in_a_row": self.spikes.in_a_row,
            "usual_loss": dataclasses.asdict(self.spikes.loss),
            "usual_norm": dataclasses.asdict(self.spikes.norm),
        }

    def _take_up(self, carried: dict[str, Any]) -> None:
        self.bad_steps, self.spikes.in_a_row = carried["bad_steps"], carried["spikes_in_a_row"]
        self.precision.scale, self.precision.streak = carried["loss_scale"], carried["loss_scale_streak"]
        self.spikes.loss, self.spikes.norm = Usual(**carried["usual_loss"]), Usual(**carried["usual_norm"])

    def _description(self) -> dict[str, Any]:
        return {
            "model_config": describe_model(self.model),
            "train_config": to_object(self.config),
            "tokenizer": None if self.tokenizer is None else self.tokenizer.to_json(),
            "data": {"fingerprint": self.data.fingerprint, **({"shards": self.shards} if self.shards else {})},
        }


def _types(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _types(value) if isinstance(value, Mapping) else type(value) for name, value in values.items()}


def model_from(checkpoint: Checkpoint) -> GPT:
    """The trained model of a checkpoint, in the dtype in which it was trained, on the CPU and in evaluation mode.

    Raises:
        ValueError: if the configuration or the weights can't be used, or only the user's code can build the model.
    """
    refuse_own_parts(checkpoint.state)
    if other := checkpoint.state["model_config"].get("class"):
        raise ValueError(
            f"the checkpoint holds a {other!s:.80}, which only your code can build: make one as it was trained and "
            "pass it, load_model(out, model)"
        )
    config = GPTConfig.from_json(json.dumps(checkpoint.state["model_config"]))
    dtype = dtype_of(checkpoint.model)
    _check_size(config, checkpoint.model, dtype)
    model = GPT(config).to(dtype)
    load_weights(model, checkpoint.model)
    return model.eval()


def _check_size(config: GPTConfig, weights: dict[str, Tensor], dtype: torch.dtype) -> None:
    """Compare the shapes before memory is taken: a forged configuration may ask for more than any machine has."""
    if config.n_layers > len(weights):
        raise ValueError(f"the weights do not fit the model: {len(weights)} tensors for n_layers={config.n_layers}")
    try:
        with shapes_alone():
            shapes = weights_of(GPT(config).to(dtype))
    except (RuntimeError, OverflowError, TypeError) as error:
        raise ValueError(f"no tensor can be as large as the model's configuration says: {error}") from None
    check_fit(shapes, weights, "the weights do")
