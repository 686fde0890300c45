"""What an estimate takes for granted, and can be told."""

import math
from dataclasses import dataclass, field
from typing import Any

from minigpt.cost.hardware import DEFAULT_MFU, Site
from minigpt.cost.memory import StepPlan
from minigpt.settings import nearest, shown


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What an estimate takes for granted.

    Attributes:
        price: dollars for an hour of one device; ``None``: the lowest of the table.
        mfu: share of the peak that is reached, in (0, 1]; the default is the median of the published runs.
        plan: how a step is computed; ``None``: sequences as long as the context; on named hardware one at once, in
            mixed precision where it has 16-bit products; on a measured machine twelve, in float32.
        site: where the devices stand: PUE and carbon.
    """

    price: float | None = None
    mfu: float = DEFAULT_MFU
    plan: StepPlan | None = None
    site: Site = field(default_factory=Site)


def assumptions_of(given: dict[str, Any]) -> Assumptions:
    """The assumptions, with the defaults of those that are not given or ``None``.

    Args:
        given: fields of :class:`Assumptions` by name.

    Raises:
        ValueError: if there is no such field, or the price is no number above 0.
    """
    names = list(Assumptions.__dataclass_fields__)
    if unknown := [name for name in given if name not in names]:
        known = ("config", "tokens", "on", *names)
        raise ValueError(
            f"estimate has no argument {unknown[0]!r}; it has {', '.join(known)}{nearest(unknown[0], known)}"
        )
    made = Assumptions(**{name: value for name, value in given.items() if value is not None})
    if made.price is not None:
        positive("price", made.price)
    return made


def positive(name: str, value: Any) -> float:
    """A number above 0.

    Args:
        name: of the argument, for the message.
        value: what was given.

    Raises:
        ValueError: if it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"{name} must be a number above 0, got {shown(value)}")
    return float(value)
