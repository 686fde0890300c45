"""Hardware by name: ``8xH100`` is eight of a device of the table."""

import re
from dataclasses import dataclass
from difflib import get_close_matches

from minigpt.cost.hardware.devices import DEVICES, Device
from minigpt.settings import shown

# What else a device is called, without signs and in lower case.
ALIASES = {
    "a10080": "A100", "a10080gb": "A100", "a100sxm": "A100", "a10040gb": "A100-40", "h100sxm": "H100",
    "h200sxm": "H200", "b200sxm": "B200", "3090": "RTX-3090", "4090": "RTX-4090", "5090": "RTX-5090",
}  # fmt: skip
MOST_DEVICES = 10**7
MEASURED = (
    "to measure this machine, pass on=minigpt.bench.probe_machine() in Python, or --on 'this machine' to minigpt "
    "estimate"
)
NAME_FORMS = (  # a name; with a count before it, such as 8xH100 or 8 H100; with a count behind it, such as H100x8
    re.compile(r"(?:(?P<count>\d{1,9})(?:\s*[x×*]\s*|\s+))?(?P<device>.+)", re.IGNORECASE | re.DOTALL),
    re.compile(r"(?P<device>.+?)\s*[x×*]\s*(?P<count>\d{1,9})", re.IGNORECASE | re.DOTALL),
)
THIS_MACHINE = re.compile(r"(?:(?:this|my)[ _-](?:laptop|machine|computer|pc)|here)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Some devices of one kind.

    Attributes:
        device: the kind.
        count: how many.
    """

    device: Device
    count: int = 1

    def __str__(self) -> str:
        return self.device.name if self.count == 1 else f"{self.count:,} × {self.device.name}"


def parse_hardware(name: str) -> Cluster:
    """The devices that a name such as ``H100``, ``8xH100`` or ``2 × RTX 4090`` stands for.

    Args:
        name: a name in :data:`DEVICES`, with a count before or behind it for several; signs, spaces and case do not
            matter.

    Raises:
        ValueError: if the device is unknown, with the names that are most like it; if the count is out of range; or if
            the name is "this machine", which :func:`minigpt.bench.probe_machine` measures.
    """
    if not isinstance(name, str):
        raise ValueError(f"hardware must be a name such as '8xH100', got {shown(name)}")
    if THIS_MACHINE.fullmatch(name[:100].strip()):
        raise ValueError(f"{shown(name)} has no fixed speed; {MEASURED}")
    own, plains = {re.sub(r"\W", "", each.lower()): each for each in DEVICES}, list[str]()
    for found in filter(None, (form.fullmatch(name[:100].strip()) for form in NAME_FORMS)):
        plains.append(re.sub(r"[\W_]|nvidia|geforce", "", found["device"].lower()))
        if (known := ALIASES.get(plains[-1]) or own.get(plains[-1])) is not None:
            return Cluster(device=DEVICES[known], count=_count(name, found["count"]))
    near = [own[each] for plain in reversed(plains) for each in get_close_matches(plain, own, n=3, cutoff=0.6)]
    hint = f". Did you mean {' or '.join(dict.fromkeys(near[:3]))}?" if near else ";"
    raise ValueError(
        f"the hardware {shown(name)} is unknown; choose one of {', '.join(DEVICES)}, with a count before it for "
        f"several, such as 8xH100{hint} {MEASURED[0].upper() if near else MEASURED[0]}{MEASURED[1:]}"
    )


def _count(name: str, count: str | None) -> int:
    if count is not None and not 1 <= int(count) <= MOST_DEVICES:
        raise ValueError(f"{shown(name)} asks for {int(count):,} devices; give 1 to {MOST_DEVICES:,}")
    return int(count or 1)
