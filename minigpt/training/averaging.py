r"""An average of the weights over the last updates: it is nearer to the valley's floor than any one of them.

The weights of the last step still swing with the noise of the batches, the more so the higher the learning rate. Their
exponential moving average has less of that noise, and is what is evaluated and used.

Departure: the weight $\frac{1 - \beta}{1 - \beta^t}$ of the newest is Adam's correction of an average that begins at 0,
so the initial weights never count; textbooks begin with them and write $1 - \beta$.

Dimensions: K numbers in a parameter.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from minigpt.equations import equation


@equation(
    "weight-average",
    r"\bar{\theta}_t = \bar{\theta}_{t-1} + \frac{1 - \beta}{1 - \beta^t} (\theta_t - \bar{\theta}_{t-1})",
    symbols={
        r"\bar{\theta}_{t-1}": "(K) average before",
        r"\bar{\theta}_t": "(K) average",
        r"\theta_t": "(K) weights after the update",
        "t": "() number of the update, from 1",
        r"\beta": "() how slowly the average forgets",
    },
    source="Polyak & Juditsky 1992; with exponential weights and correction as in Kingma & Ba 2015, arXiv:1412.6980, "
    "section 3",
)
def weight_average(average: Tensor, theta: Tensor, t: int, beta: float) -> Tensor:
    r"""The average $\bar{\theta}_t$ after update t.

    Args:
        average: ``(...)`` the average before; at ``t = 1`` it does not count.
        theta: ``(...)`` the weights, of the same shape.
        t: the number of the update, from 1.
        beta: β in [0, 1): about the last 1/(1 - β) updates count.
    """
    return average + newest_share(t, beta) * (theta - average)


def newest_share(t: int, beta: float) -> float:
    """What the newest weights count in the average of t updates."""
    return (1 - beta) / (1 - beta**t)


class WeightAverage:
    """The average of a model's weights over its updates.

    Args:
        model: whose weights are averaged; on its device, sharded already if it is to be.
        beta: how slowly the average forgets.

    Attributes:
        weights: the average by the parameter's name, in its dtype.
        n_updates: ``()`` how many updates it has seen.
    """

    def __init__(self, model: nn.Module, beta: float) -> None:
        self.beta = beta
        self.n_updates = torch.zeros(())
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after one more update: :func:`weight_average` for all parameters at once."""
        self.n_updates += 1
        share = newest_share(int(self.n_updates), self.beta)
        torch._foreach_lerp_(list(self.weights.values()), [p.detach() for p in model.parameters()], share)

    @torch.no_grad()
    def copy_to(self, model: nn.Module) -> None:
        """Make the average the model's weights."""
        for name, parameter in model.named_parameters():
            parameter.copy_(self.weights[name])

    @contextmanager
    def in_use(self, model: nn.Module) -> Iterator[None]:
        """The average is the model's weights; after, its own come back."""
        own = [parameter.detach().clone() for parameter in model.parameters()]
        self.copy_to(model)
        try:
            yield
        finally:
            with torch.no_grad():
                for parameter, weights in zip(model.parameters(), own, strict=True):
                    parameter.copy_(weights)
