"""A run in memory, and its way to a checkpoint and back."""

import dataclasses
import json
from dataclasses import dataclass

from torch import Tensor, nn

from minigpt.model import GPT, GPTConfig
from minigpt.text import Dataset, Tokenizer
from minigpt.train.checkpoint import Checkpoint
from minigpt.train.config import TrainConfig, check_same_run
from minigpt.train.distributed import ALONE, World
from minigpt.train.optim import AdamW
from minigpt.train.strategies import copy_whole, whole


@dataclass
class RunState:
    """What the training loop works on; together with the step it decides everything that follows.

    Attributes:
        model: in training mode, on its device.
        optimizer: of the model's parameters.
        config: how it is trained.
        data: what it learns from.
        tokenizer: what turned text into the data's ids, if known.
        bad_steps: steps in a row, up to now, without a finite gradient.
        world: the processes that train together.
        wrapper: what is called in place of the model, so that the processes add up their gradients, if anything is.
    """

    model: GPT
    optimizer: AdamW
    config: TrainConfig
    data: Dataset
    tokenizer: Tokenizer | None = None
    bad_steps: int = 0
    world: World = ALONE
    wrapper: nn.Module | None = None

    @property
    def wrapped(self) -> nn.Module:
        """What is called to train."""
        return self.model if self.wrapper is None else self.wrapper

    def snapshot(self, step: int) -> Checkpoint:
        """All that decides how the run goes on, after ``step`` updates; every process must ask for it."""
        moments = {
            f"{name}.{key}": whole(value)
            for name, parameter in self.model.named_parameters()
            for key, value in self.optimizer.state.get(parameter, {}).items()
        }
        weights = {name: whole(parameter.data) for name, parameter in self.model.named_parameters()}
        return Checkpoint(step=step, model=weights, optimizer=moments, state=self._description())

    def restore(self, checkpoint: Checkpoint) -> int:
        """Put a snapshot back, in place.

        Returns:
            How many updates the snapshot has behind it.

        Raises:
            ValueError: naming each field in which the snapshot's run differs from this one, or a tensor that does not
                fit.
        """
        check_same_run(checkpoint.state, self._description())
        load_weights(self.model, checkpoint.model)
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state_of(parameter).items():
                if f"{name}.{key}" not in checkpoint.optimizer:
                    raise ValueError(f"the checkpoint lacks the optimizer's {name}.{key}")
                copy_whole(value, checkpoint.optimizer[f"{name}.{key}"])
        return checkpoint.step

    def _description(self) -> dict[str, object]:
        return {
            "model_config": dataclasses.asdict(self.model.config),
            "train_config": dataclasses.asdict(self.config),
            "tokenizer": None if self.tokenizer is None else self.tokenizer.to_json(),
            "data": {"fingerprint": self.data.fingerprint},
        }


def load_weights(model: GPT, weights: dict[str, Tensor]) -> None:
    """Copy weights by name into ``model``, in place.

    Raises:
        ValueError: if a weight is missing, left over, or of another shape.
    """
    own = dict(model.named_parameters())
    shapes, wanted = ({name: tuple(t.shape) for name, t in named.items()} for named in (weights, own))
    if shapes != wanted:
        wrong = sorted(name for name in {**shapes, **wanted} if shapes.get(name) != wanted.get(name))
        raise ValueError(
            f"the weights do not fit the model: {wrong[0]} has shape {shapes.get(wrong[0])}, the model wants "
            f"{wanted.get(wrong[0])} ({len(wrong)} such name(s) in all)"
        )
    for name, parameter in own.items():
        copy_whole(parameter.data, weights[name])


def model_from(checkpoint: Checkpoint) -> GPT:
    """The trained model of a checkpoint, on the CPU and in evaluation mode.

    Raises:
        ValueError: if the configuration or the weights can't be used.
    """
    model = GPT(GPTConfig.from_json(json.dumps(checkpoint.state["model_config"])))
    load_weights(model, checkpoint.model)
    return model.eval()
