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
        name: an optional count and a name in :data:`DEVICES`; signs, spaces and case do not matter.

    Raises:
        ValueError: if the device is unknown, with the names that are most like it; if the count is out of range; or if
            the name is "this machine", which :func:`minigpt.bench.probe_machine` measures.
    """
    if not isinstance(name, str):
        raise ValueError(f"hardware must be a name such as '8xH100', got {shown(name)}")
    if THIS_MACHINE.fullmatch(name[:100].strip()):
        raise ValueError(f"{shown(name)} has no fixed speed; {MEASURED}")
    found = re.fullmatch(r"\s*(?:(\d{1,9})\s*[x×*]\s*)?(.+?)\s*", name[:100], re.IGNORECASE)
    count, device = (found[1], found[2]) if found else (None, "")
    if count is not None and not 1 <= int(count) <= MOST_DEVICES:
        raise ValueError(f"{shown(name)} asks for {int(count):,} devices; give 1 to {MOST_DEVICES:,}")
    plain = re.sub(r"[\W_]|nvidia|geforce", "", device.lower())
    own = {re.sub(r"\W", "", each.lower()): each for each in DEVICES}
    known = ALIASES.get(plain) or own.get(plain)
    if known is None:
        near = [own[each] for each in get_close_matches(plain, own, n=3, cutoff=0.6)]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(
            f"the hardware {shown(name)} is unknown; choose one of {', '.join(DEVICES)}, with a count before it for "
            f"several, such as 8xH100{hint}; {MEASURED}"
        )
    return Cluster(device=DEVICES[known], count=int(count or 1))
