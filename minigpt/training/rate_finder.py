r"""The learning-rate finder: one short run in which the rate grows at every step shows which rates are too high.

At low rates the loss hardly falls; then it falls faster and faster; beyond some rate it rises. A good highest rate lies
below that turn.

Dimensions: t the update, counted from 1; S steps in all.
Source: Smith 2017, arXiv:1506.01186, section 3.3.
Departure: the rate grows exponentially instead of linearly, since the range spans several powers of ten.
"""

import copy
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from torch import nn

from minigpt.equations import equation
from minigpt.plots import BLUE, GREY, ORANGE, new_figure
from minigpt.text import Dataset
from minigpt.text.datasets.items import Items
from minigpt.training.averaging import newest_share
from minigpt.training.config import TrainConfig
from minigpt.training.gradients import batch_gradient
from minigpt.training.processes.device import choose_device
from minigpt.training.run_state import RunState
from minigpt.training.safety.parts import check_data, check_model
from minigpt.training.step import update

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSS_MEMORY = 0.9  # how slowly the smoothed loss forgets
TOO_HIGH = 1.3  # the search ends when the smoothed loss is this many times its lowest


@equation(
    "exponential-ramp",
    r"\eta(t) = \eta_{\min} \left(\frac{\eta_{\max}}{\eta_{\min}}\right)^{\frac{t - 1}{S - 1}}",
    symbols={
        r"\eta_{\min}": "() first rate",
        r"\eta_{\max}": "() last rate",
        "t": "() the update, from 1",
        "S": "() steps in all",
    },
    source="Smith 2017, arXiv:1506.01186, section 3.3, on a logarithmic scale",
)
def exponential_ramp(t: int, *, low: float, high: float, steps: int) -> float:
    r"""The learning rate $\eta(t)$ of update t.

    Args:
        t: the update, 1 … ``steps``.
        low: $\eta_{\min}$, the first rate.
        high: $\eta_{\max}$, the last.
        steps: S, at least 2.
    """
    return low * (high / low) ** ((t - 1) / (steps - 1))


@dataclass(frozen=True)
class RateSearch:
    """What a search saw.

    Attributes:
        rates: the learning rates that were tried, rising.
        losses: the loss of each step's batch before its update, in nats per token.
    """

    rates: list[float]
    losses: list[float]

    @property
    def smoothed(self) -> list[float]:
        """The losses, each averaged with those before it."""
        return _smoothed(self.losses)

    @property
    def turn(self) -> float:
        """The rate at which the smoothed loss is lowest; above it the loss rises."""
        return self.rates[min(range(len(self.rates)), key=self.smoothed.__getitem__)]

    @property
    def suggestion(self) -> float:
        """A rate to begin with: a tenth of that at which the loss turns; a longer run needs a lower one."""
        return self.turn / 10

    def plot(self) -> "Figure":
        """The loss against the rate, with the rate at which it turns and the one to try, as a matplotlib figure.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        figure, (axes,) = new_figure()
        axes.plot(self.rates, self.losses, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(self.rates, self.smoothed, color=BLUE, label="loss, smoothed")
        axes.axvline(self.turn, color=GREY, linestyle=":", label=f"turns at {self.turn:.1e}")
        axes.axvline(self.suggestion, color=ORANGE, label=f"try {self.suggestion:.1e}")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss (nats per token)")
        axes.legend(frameon=False)
        return figure

    def __str__(self) -> str:
        return (
            f"learning rates from {self.rates[0]:.1e} to {self.rates[-1]:.1e} in {len(self.rates)} steps: the loss "
            f"turns at {self.turn:.1e}; try learning_rate={self.suggestion:.1e}"
        )


def find_learning_rate(
    model: nn.Module,
    data: Dataset | Items,
    config: TrainConfig | None = None,
    *,
    low: float = 1e-5,
    high: float = 1.0,
    steps: int = 100,
) -> RateSearch:
    """Train a copy of ``model`` for a few steps with a rising learning rate, and watch its loss.

    Args:
        model: as training would start from, a GPT or a module of your own; left as it is.
        data: what it would learn from, as :func:`minigpt.train` takes it.
        config: how: the optimizer, the batch size, …; its own learning rates and steps do not count.
        low: the first rate.
        high: the last rate, if the loss does not end the search before.
        steps: how many rates are tried.

    Raises:
        ValueError: if the rates or the number of steps make no ramp.
    """
    if not (0 < low < high < math.inf and steps >= 2):
        raise ValueError(f"got low={low}, high={high}, steps={steps}; expected 0 < low < high and at least 2 steps")
    config = check_model(model, TrainConfig() if config is None else config)
    run = RunState(copy.deepcopy(model).to(choose_device(config.device)).train(), config, check_data(model, data))
    rates: list[float] = []
    losses: list[float] = []
    for step in range(steps):
        rate = exponential_ramp(step + 1, low=low, high=high, steps=steps)
        loss = update(run, partial(batch_gradient, run, step), rate).loss
        if not math.isfinite(loss):
            break
        rates.append(rate)
        losses.append(loss)
        if (smoothed := _smoothed(losses))[-1] > TOO_HIGH * min(smoothed):
            break
    if not rates:
        raise ValueError("the loss of the first step is not finite: the model can't be trained as it is")
    return RateSearch(rates, losses)


def _smoothed(losses: list[float]) -> list[float]:
    smoothed, mean = [], 0.0
    for t, loss in enumerate(losses, start=1):
        mean += newest_share(t, LOSS_MEMORY) * (loss - mean)
        smoothed.append(mean)
    return smoothed
