"""What a bug of the zoo is: a switch on a run that is ready to train, and what gives it away."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from minigpt.evaluation.sanity import Sanity
from minigpt.learn.exercises.exercise import Words
from minigpt.model import GPT
from minigpt.text import Dataset
from minigpt.training.report.history import History
from minigpt.training.run_state import RunState


@dataclass
class Specimen:
    """A run before or after its training, with the text that it is measured on.

    Attributes:
        run: model, optimizer, precision and training data: what the real training step works on.
        validation: the validation split.
        history: what happened so far.
    """

    run: RunState
    validation: Dataset
    history: History = field(default_factory=History)

    @property
    def model(self) -> GPT:
        """The model."""
        assert isinstance(self.run.model, GPT)
        return self.run.model

    @property
    def ids(self) -> Tensor:
        """``(B, T)``: the first batch of its training data."""
        return self.run.data.batch(0, 8)[0]


#: One number of a trained specimen, by which the healthy and the sick run are told apart.
Statistic = Callable[[Specimen], float]


@dataclass(frozen=True, kw_only=True)
class Bug:
    """A classic training bug.

    Attributes:
        name: such as "leaked-mask"; it never changes.
        says: what is wrong, and what the loss looks like, in both languages.
        apply: puts the bug into a specimen before its first step.
        signature: the statistic in which the sick run differs from the healthy one.
        says_signature: what the statistic is.
        margin: by how much, at least; negative where the sick run has the smaller number.
        caught_by: the check of the library that fails for the sick run and passes for the healthy one.
        settings: fields of ``GPTConfig`` and ``TrainConfig`` that both runs have, other than those of the zoo.
        sick_settings: fields that only the sick run has.
        few_stories: whether both runs train on so little text that they learn it by heart.
    """

    name: str
    says: Words
    apply: Callable[[Specimen], None]
    signature: Statistic
    says_signature: str
    margin: float
    caught_by: Callable[[Specimen], Sanity]
    settings: Mapping[str, Any] = field(default_factory=dict)
    sick_settings: Mapping[str, Any] = field(default_factory=dict)
    few_stories: bool = False

    def differs(self, healthy: Specimen, sick: Specimen) -> bool:
        """Whether the signature of two trained specimens differs by at least the margin, in its direction."""
        difference = self.signature(sick) - self.signature(healthy)
        return difference / self.margin >= 1
