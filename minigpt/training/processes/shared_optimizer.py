"""An optimizer that several processes share: each keeps the state of some parameters, and updates those.

Every process has all weights and gets all gradients, as in DDP. It updates its share of the parameters and sends them
to the others, so that all have the same weights. The moments, two numbers a parameter with AdamW, then take about
1/size of the memory in each process.

Source: Rajbhandari et al. 2020, arXiv:1910.02054 (ZeRO, stage 1); the engine is PyTorch's ``ZeroRedundancyOptimizer``.
"""

from typing import Any

from torch import Tensor

from minigpt.training.optim.base import EquationOptimizer, State, first_state


class SharedOptimizer:
    """An optimizer of ours, a share of it in each process.

    Args:
        kind: the class of the optimizer.
        groups: of all parameters, the same in every process.
        settings: its other arguments.
    """

    def __init__(self, kind: type[EquationOptimizer], groups: list[dict[str, Any]], **settings: Any) -> None:
        from torch.distributed.optim import ZeroRedundancyOptimizer

        self._engine = ZeroRedundancyOptimizer(groups, optimizer_class=kind, **settings)
        self._own: EquationOptimizer = self._engine.optim
        self._mine = {parameter for group in self._own.param_groups for parameter in group["params"]}

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parameters; what is set in them counts at the next update."""
        groups: list[dict[str, Any]] = self._engine.param_groups
        return groups

    def step(self) -> None:
        """One update of every parameter, its own ones here and the others in the other processes."""
        self._engine.step()

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        self._engine.zero_grad()

    def state_of(self, parameter: Tensor) -> State:
        """What is remembered of one parameter, by name; of another process's, on the device "meta", without numbers."""
        if parameter in self._mine:
            return self._own.state_of(parameter)
        group = next(group for group in self.param_groups if any(p is parameter for p in group["params"]))
        return first_state(self._own.rule_of(group), parameter, "meta")
