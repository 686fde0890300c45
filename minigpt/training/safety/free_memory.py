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

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")


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
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _left_in(groups, path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            yield from _left_in(groups / "memory", path, *names)


def _left_in(root: Path, path: str, most: str, used: str, cache: str) -> Iterator[int]:
    """What a group and those above it leave; in a container its own is often the root, under another path."""
    group = root / path.strip("/")
    while True:
        limit, now = _text(group / most).strip(), _text(group / used).strip()
        if limit.isdecimal() and now.isdecimal():
            found = re.search(rf"^{cache} (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
            yield int(limit) - int(now) + (int(found[1]) if found else 0)
        if group == root or root not in group.parents:
            return
        group = group.parent


def _kilobytes(path: Path, name: str) -> int | None:
    """A number of bytes in a file of lines such as "VmSize:  12 kB"."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", _text(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
