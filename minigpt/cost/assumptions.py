"""What an estimate takes for granted, and can be told."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from minigpt.cost.hardware import DEFAULT_MFU, Cluster, Site
from minigpt.cost.machine import Machine
from minigpt.cost.memory import StepPlan
from minigpt.settings import Range, fit, meant_share, nearest, shown

MOST_TOKENS_READ = 1e30  # of an estimate: far more than there are, and few enough for finite figures
MOST_DOLLARS = 1e9  # for an hour of one device
LEAST_MFU = 1e-9
_MFU = Range(LEAST_MFU, 1.0)


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
        ValueError: if there is no such field, or one of them has another type or is out of its range.
    """
    names = list(Assumptions.__dataclass_fields__)
    if unknown := [name for name in given if name not in names]:
        known = ("config", "tokens", "on", *names)
        raise ValueError(
            f"estimate has no argument {unknown[0]!r}; it has {', '.join(known)}{nearest(unknown[0], known)}"
        )
    made = Assumptions(**{name: value for name, value in given.items() if value is not None})
    if made.price is not None:
        positive("price", made.price, MOST_DOLLARS)
    if not _MFU.holds(fit("mfu", made.mfu, float)):
        raise ValueError(
            f"mfu={shown(made.mfu)} must {_MFU}: it is the share of the peak; published runs reach 0.2 to 0.52"
            f"{meant_share(made.mfu, _MFU)}"
        )
    for name, kind in (("plan", StepPlan), ("site", Site)):
        if name in given and not isinstance(given[name], kind | None):
            raise ValueError(f"{name} must be a minigpt.cost {kind.__name__}, got {shown(given[name])}")
    return made


def refuse_unused(given: Mapping[str, Any], on: Cluster | Machine | None) -> None:
    """Refuse an assumption that changes nothing on this hardware.

    Args:
        given: the assumptions by name; those that are ``None`` are not given.
        on: what computes.

    Raises:
        ValueError: naming the assumption, and the hardware that it needs.
    """
    names = [name for name in ("price", "mfu", "site") if given.get(name) is not None]
    if names and on is None:
        raise ValueError(f"{names[0]} has no effect without hardware; name it, such as on='8xH100' (--on 8xH100)")
    if names and isinstance(on, Machine):
        raise ValueError(
            f"{names[0]} has no effect on a measured machine, whose time is measured and has no price; leave it out, "
            "or name hardware, such as on='8xH100' (--on 8xH100)"
        )
    if "site" in names and isinstance(on, Cluster) and on.device.watts is None:
        raise ValueError(f"site has no effect: the power of {on.device.name} is unknown; leave it out")


def positive(name: str, value: Any, most: float) -> float:
    """A number above 0.

    Args:
        name: of the argument, for the message.
        value: what was given; numbers of NumPy are numbers.
        most: the largest that is allowed.

    Raises:
        ValueError: if it is none.
    """
    try:
        number = float(fit(name, value, float))
    except ValueError:
        number = math.nan
    if not 0 < number <= most:
        raise ValueError(f"{name} must be a number above 0, got {shown(value)}; the largest is {most:g}")
    return number
