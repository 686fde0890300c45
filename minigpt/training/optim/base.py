r"""What all optimizers share: each turns a gradient into a step, by an equation in its own file.

::

    gradients ──> rule of the parameter's group, with the state that it keeps ──> parameters

Each rule comes twice: "formula" reads as the equation does and takes one parameter after another; "fast" does the same
for all parameters of a group at once.
"""

from collections.abc import Callable, Iterable
from inspect import unwrap
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer

from minigpt.equations import Equation
from minigpt.settings import check_choice

Settings = dict[str, Any]
State = dict[str, Tensor]
# From a group's settings, its parameters with a gradient, and their states: a change of both, in place.
Update = Callable[[Settings, list[Tensor], list[State]], None]


class UpdateRule(NamedTuple):
    """How parameters change.

    Attributes:
        keeps: what is remembered of a parameter from one update to the next: "step", the number of updates, or a tensor
            of the parameter's shape, 0 at first.
        formula: the equation as written.
        fast: the same to rounding, for all parameters at once.
    """

    keeps: tuple[str, ...]
    formula: Update
    fast: Update


class EquationOptimizer(Optimizer):
    """The base of the optimizers; a class of its own says its rule and the settings of its equation.

    Args:
        params: parameters, or groups of them, as every ``torch.optim.Optimizer`` takes.
        settings: from the name of a setting to its value, for every group that does not have its own.
        implementation: "formula" or "fast".

    Raises:
        ValueError: if a setting is out of its range or the implementation is unknown.
    """

    equation: ClassVar[Equation]
    rule: UpdateRule
    relative_rate = 1.0
    """A good learning rate for it, as a multiple of AdamW's."""

    def __init__(self, params: Any, settings: Settings, implementation: str = "fast") -> None:
        check_choice("implementation", implementation, IMPLEMENTATIONS)
        _check_settings(settings)
        self.implementation = implementation
        super().__init__(params, settings)

    # PyTorch's own first load its compiler, to say that these two are not to be compiled, which takes some seconds.

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take more parameters, as every ``torch.optim.Optimizer`` does.

        Args:
            param_group: the parameters under "params", and settings of their own.
        """
        unwrap(Optimizer.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, as every ``torch.optim.Optimizer`` does.

        Args:
            set_to_none: let go of their memory, too; otherwise they become 0.
        """
        unwrap(Optimizer.zero_grad)(self, set_to_none)

    def rule_of(self, group: Settings) -> UpdateRule:
        """The rule that changes the parameters of a group."""
        return self.rule

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every parameter that has a gradient.

        Raises:
            ValueError: if a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        found = [with_gradient(group["params"]) for group in self.param_groups]
        for group, parameters in zip(self.param_groups, found, strict=True):
            rule = self.rule_of(group)
            if parameters:
                getattr(rule, self.implementation)(group, parameters, [self._state(p, rule) for p in parameters])
        return loss

    def state_of(self, parameter: Tensor) -> State:
        """What is remembered of one parameter, by name; made at the first call."""
        group = next(group for group in self.param_groups if any(p is parameter for p in group["params"]))
        return self._state(parameter, self.rule_of(group))

    def _state(self, parameter: Tensor, rule: UpdateRule) -> State:
        state = self.state[parameter]
        if any(name not in state for name in rule.keeps):
            state.update({**first_state(rule, parameter), **state})
        return state


def first_state(rule: UpdateRule, parameter: Tensor, device: str | None = None) -> State:
    """What is remembered of a parameter before its first update.

    Args:
        rule: how it changes.
        parameter: of which every tensor but the step has the shape and the type.
        device: "meta" gives shapes and types alone; ``None`` is the parameter's, and for the step the CPU.
    """
    return {
        name: torch.zeros((), dtype=torch.float32, device=device)
        if name == "step"
        else torch.zeros_like(parameter, device=device)
        for name in rule.keeps
    }


IMPLEMENTATIONS = ("formula", "fast")


def with_gradient(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The parameters that have a gradient.

    Args:
        parameters: ``(...)`` each.

    Raises:
        ValueError: if a gradient is sparse, as that of ``nn.Embedding(sparse=True)``: the equations are of all numbers;
            or one tensor is given, whose rows have no gradients of their own.
    """
    if isinstance(parameters, Tensor):
        raise ValueError(f"got one tensor {tuple(parameters.shape)}, expected several parameters; put it into a list")
    found = [parameter for parameter in parameters if parameter.grad is not None]
    for each in found:
        if (layout := gradient(each).layout) != torch.strided:
            raise ValueError(
                f"the gradient of a parameter {tuple(each.shape)} is {str(layout).removeprefix('torch.')}, expected a "
                "dense one; build the layer with sparse=False, or set parameter.grad = parameter.grad.to_dense()"
            )
    return found


def gradient(parameter: Tensor) -> Tensor:
    """The gradient of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad


def _check_settings(settings: Settings) -> None:
    forgetting = [settings[name] for name in ("momentum",) if name in settings] + list(settings.get("betas", ()))
    others = [settings[name] for name in ("lr", "eps", "weight_decay") if name in settings]
    if not all(0 <= value < 1 for value in forgetting) or not all(value >= 0 for value in others):
        got = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        raise ValueError(f"got {got}; expected betas and momentum in [0, 1) and the others at least 0")
