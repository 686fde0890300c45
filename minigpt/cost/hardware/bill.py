r"""What a training takes: time, money, energy and carbon dioxide.

No device computes at its peak all the time. The share of the peak that goes into the operations of the model is the
MFU, model FLOPs utilisation; what is computed again, or beside the model, does not count in it.

Dimensions: C operations of the whole training, n devices, F peak of a device in operations per second, u MFU.
"""

from dataclasses import dataclass
from typing import Annotated

from minigpt.equations import equation
from minigpt.settings import Range, check_types, meant_share

_MFU = Range(0.0, 1.0, "(]")


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where the devices stand.

    Attributes:
        pue: power of the whole building over that of the devices (power usage effectiveness).
        kg_per_kwh: kilograms of CO₂ for each kilowatt-hour.
        source: of the two.
    """

    pue: Annotated[float, Range(1, 100, hint="; large data centres have 1.1")] = 1.1
    kg_per_kwh: Annotated[float, Range(0, 100, hint="; coal has about 1")] = 0.429
    source: str = "PUE 1.1, 0.429 kg/kWh (USA 2020): Patterson et al. 2021, arXiv:2104.10350"

    def __post_init__(self) -> None:
        check_types(self)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What a training takes.

    Attributes:
        device_hours: hours of one device.
        dollars: their price.
        kilowatt_hours: of the building.
        kilograms: of CO₂.
    """

    device_hours: float
    dollars: float
    kilowatt_hours: float
    kilograms: float


@equation(
    "training-seconds",
    r"t = \frac{C}{n F u}",
    symbols={
        "C": "() operations of the whole training",
        "n": "() devices",
        "F": "() peak of a device, in operations per second",
        "u": "() share of the peak that is reached (MFU)",
        "t": "() seconds",
    },
    source="Chowdhery et al. 2022, arXiv:2204.02311, appendix B (MFU)",
)
def training_seconds(flops: float, n_devices: int, peak: float, mfu: float) -> float:
    """t: the seconds of a training.

    Args:
        flops: C, floating-point operations.
        n_devices: n.
        peak: F, in operations per second.
        mfu: u, in (0, 1].

    Raises:
        ValueError: if the MFU is out of its range.
    """
    if not _MFU.holds(mfu):
        raise ValueError(
            f"mfu={mfu} must {_MFU}: it is the share of the peak; published runs reach 0.2 to 0.52"
            f"{meant_share(mfu, _MFU)}"
        )
    return flops / (n_devices * peak * mfu)


@equation(
    "training-bill",
    r"""\begin{aligned}
    h &= \frac{n t}{3600} \\
    d &= h p \\
    W &= \frac{h P s}{1000} \\
    M &= W k
    \end{aligned}""",
    symbols={
        "n": "() devices",
        "t": "() seconds",
        "p": "() price of a device, in dollars per hour",
        "P": "() power of a device, in watts",
        "s": "() power of the building over that of the devices (PUE)",
        "k": "() kilograms of CO₂ for a kilowatt-hour",
        "h": "() hours of one device",
        "d": "() dollars",
        "W": "() kilowatt-hours",
        "M": "() kilograms of CO₂",
    },
    source="Patterson et al. 2021, arXiv:2104.10350",
)
def training_bill(seconds: float, n_devices: int, price: float, watts: float, site: Site | None = None) -> Bill:
    """Device-hours, dollars, kilowatt-hours and kilograms of CO₂ of a training.

    Args:
        seconds: t.
        n_devices: n.
        price: p, in dollars for an hour of one device.
        watts: P, of one device.
        site: s and k; ``None`` means ``Site()``.
    """
    site = Site() if site is None else site
    hours = n_devices * seconds / 3600
    energy = hours * watts * site.pue / 1000
    return Bill(device_hours=hours, dollars=hours * price, kilowatt_hours=energy, kilograms=energy * site.kg_per_kwh)
