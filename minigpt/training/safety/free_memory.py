"""How much memory this process can still get from the CPU's side: the least of what the system and its limits leave.

==================  ==================================================================  =========================
limit               where it is read                                                    set by
==================  ==================================================================  =========================
physical memory     ``/proc/meminfo``, MemAvailable                                     the machine
control group, v2   ``memory.max``, and of the groups above it                          containers, systemd, Slurm
control group, v1   ``memory.limit_in_bytes``, and of the groups above it               the same, on older systems
address space       ``RLIMIT_AS``                                                       ``ulimit -v``
==================  ==================================================================  =========================

Of what a group uses, pages of files that were not read lately are given back when memory is needed, so they count as
free. Nothing is known where there is no ``/proc``.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from minigpt.limits import GROUPS, PROC, control_groups, number_in, system_text

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

GROUP_FILES = {  # of a group: what it may use, what it uses, and what of that is given back
    2: ("memory.max", "memory.current", "inactive_file"),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(proc: Path = PROC, groups: Path = GROUPS) -> int | None:
    """The memory that this process can still get, in bytes; ``None`` where nothing is known.

    Args:
        proc: where the system describes itself and its processes.
        groups: where the control groups are.
    """
    known = [_physical(proc), *_left_by_groups(proc, groups), _left_of_addresses(proc)]
    return min((max(0, each) for each in known if each is not None), default=None)


def _physical(proc: Path) -> int | None:
    return _kilobytes(proc / "meminfo", "MemAvailable")


def _left_of_addresses(proc: Path) -> int | None:
    """What the limit of the address space leaves."""
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _kilobytes(proc / "self/status", "VmSize")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used


def _left_by_groups(proc: Path, groups: Path) -> Iterator[int]:
    """What each control group that this process is in leaves, of both versions."""
    for version, group in control_groups("memory", proc, groups):
        most, used, cache = GROUP_FILES[version]
        limit, now = number_in(group / most), number_in(group / used)
        if limit is not None and now is not None:
            found = re.search(rf"^{cache} (\d+)$", system_text(group / "memory.stat"), re.MULTILINE)
            yield limit - now + (int(found[1]) if found else 0)


def _kilobytes(path: Path, name: str) -> int | None:
    """A number of bytes in a file of lines such as "VmSize:  12 kB"."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", system_text(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None
