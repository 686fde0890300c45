"""What the system lets this process have of the machine: its cores and its memory, of which a container has fewer.

==========  ===========================================  ==================================================
limit       control groups, v2                           control groups, v1
==========  ===========================================  ==================================================
cores       ``cpu.max``: a quota and a period, in µs     ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``
memory      ``memory.max``, in bytes                     ``memory.limit_in_bytes``
==========  ===========================================  ==================================================

The limits of a group hold for the groups within it, too. A file that is missing, can't be read or holds no number sets
no limit.

Source: the Linux kernel's Documentation/admin-guide/cgroup-v2.rst, "CPU Interface Files" and "Memory Interface Files";
Documentation/scheduler/sched-bwc.rst and Documentation/admin-guide/cgroup-v1/memory.rst.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
LONGEST_PATH = 4096  # bytes of a path, on Linux
MOST_READ = 2**16  # bytes that are read of a file; the longest of these, /proc/meminfo, has about 1,500


def usable_cores(proc: Path | None = None, groups: Path | None = None) -> int:
    """How many cores this process may use: those it may run on, or fewer where a quota allows less of their time.

    Args:
        proc: where the system describes its processes; ``None`` means :data:`PROC`.
        groups: where the control groups are; ``None`` means :data:`GROUPS`.

    Returns:
        At least 1; a quota of one and a half cores counts as 2.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([cores, *_quotas(proc or PROC, groups or GROUPS)])


def memory_limit(proc: Path | None = None, groups: Path | None = None) -> int | None:
    """The least memory that a control group of this process may use, in bytes; ``None`` where none has a limit.

    Args:
        proc: as for :func:`usable_cores`.
        groups: as for :func:`usable_cores`.
    """
    names = {2: "memory.max", 1: "memory.limit_in_bytes"}
    found = control_groups("memory", proc or PROC, groups or GROUPS)
    return min(filter(None, (number_in(group / names[version]) for version, group in found)), default=None)


def control_groups(controller: str, proc: Path, groups: Path) -> Iterator[tuple[int, Path]]:
    """The control groups that this process is in, of both versions: its own, and those above it.

    In a container its own is often the root, whatever path the process is told.

    Args:
        controller: such as "cpu" or "memory".
        proc: where the system describes its processes.
        groups: where the control groups are.

    Returns:
        The version of a group, 1 or 2, and the folder of its files, which may not exist.
    """
    for line in system_text(proc / "self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # where both versions are in use, the second one has a folder of its own
            yield from ((2, each) for root in (groups, groups / "unified") for each in _upwards(root, path))
        elif controller in controllers.split(","):
            yield from ((1, each) for each in _upwards(groups / controller, path))


def number_in(path: Path) -> int | None:
    """The whole number that a file holds; ``None`` where it holds none."""
    return _number(system_text(path).strip())


def system_text(path: Path) -> str:
    """The text of a file of the system, its beginning if it is long; empty where it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_READ).decode(errors="replace")
    except (OSError, ValueError):  # a ValueError where the path holds a zero byte
        return ""


def _quotas(proc: Path, groups: Path) -> Iterator[int]:
    """How many cores each control group may use, rounded up."""
    for version, group in control_groups("cpu", proc, groups):
        names = ("cpu.max",) if version == 2 else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        numbers = [_number(word) for name in names for word in system_text(group / name).split()]
        if len(numbers) == 2 and all(numbers):
            quota, period = filter(None, numbers)
            yield -(-quota // period)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    """A folder below ``root``, and those above it up to ``root``; ``root`` alone where the path can't be one below."""
    names = [name for name in path.split("/") if name]
    is_below = ".." not in names and len(path) < LONGEST_PATH
    for depth in range(len(names) if is_below else 0, -1, -1):
        yield root.joinpath(*names[:depth])


def _number(word: str) -> int | None:
    return int(word) if re.fullmatch(r"[0-9]{1,20}", word) else None
