"""The jobs of the other process: each within limits, and ended with everything that it has started.

The text of this module follows that of ``worker`` in the other process, so it imports nothing of ours. On Linux a
process that has torch loaded forks one for each job: whatever a function changes, breaks or ends is gone with its job.
Elsewhere the process ends after one job.
"""

import contextlib
import ctypes
import io
import json
import os
import pickle
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

FORKS = sys.platform == "linux"
#: The most bytes of memory that a function may take, seconds of the CPU that a job may, and seconds for its end.
MEMORY_LIMIT, CPU_SECONDS, CLEAN_UP_LIMIT = 4 * 2**30, 900, 4.0
#: Options of Linux for a process: a signal at the end of its parent, and being the parent of orphans below it.
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
RunJob = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]


def write(channel: int, token: str, message: dict[str, Any]) -> None:
    """Send one message: its length, then JSON."""
    data = json.dumps({"token": token, **message}).encode()
    data = struct.pack(">Q", len(data)) + data
    while data:
        data = data[os.write(channel, data) :]


def set_option(option: int, value: int) -> None:
    """Set an option of this process, where the system is Linux."""
    if FORKS:
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def refuse_forks(tried: list[str]) -> None:
    """Let ``os.fork`` raise, and note that it was called.

    Args:
        tried: gets the name of the function that was called.
    """

    def refusing(name: str) -> Callable[[], int]:
        def refuse() -> int:
            tried.append(name)
            raise PermissionError("an answer may not fork")

        return refuse

    for name in ("fork", "forkpty"):
        for module in (os, sys.modules.get("posix")):
            if hasattr(module, name):
                setattr(module, name, refusing(name))


def job_process(job: dict[str, Any], channel: int, run: RunJob) -> None:
    """Run one job in a process of its own, within its limits.

    Args:
        job: what ``worker.run`` takes.
        channel: gets the messages.
        run: is ``worker.run``.
    """
    token, own, exit_now = job["token"], os.getpid(), os._exit
    tried: list[str] = []
    write(channel, token, {"pid": own})
    if not job["keeps"]:
        refuse_forks(tried)
        set_limits()
    for message in run(job):
        if os.getpid() != own:  # a copy, made past os.fork
            write(channel, token, {"processes": True})
            exit_now(0)
        write(channel, token, {**message, "processes": True} if tried else message)
    write(channel, token, {"end": True})


def set_limits() -> None:
    """Limit the memory and the CPU time of this process."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY_LIMIT,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forked(job: dict[str, Any], channel: int, source: int, run: RunJob) -> None:
    """Fork a process for a job and wait for it, or for the end of the process that asked."""
    pid = os.fork()
    if pid == 0:
        try:
            set_option(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.setpgid(0, 0)
            os.close(source)
            job_process(job, channel, run)
        finally:
            os._exit(0)
    try:
        watched, pause = [source, os.pidfd_open(pid)], None
    except (OSError, AttributeError):  # an old system
        watched, pause = [source], 0.01
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        # nobody sends a second job before the first has ended: what comes is the end of the input
        if source in select.select(watched, [], [], pause)[0]:
            os.kill(pid, signal.SIGKILL)
            end_descendants()
            os._exit(0)
    for descriptor in watched[1:]:
        os.close(descriptor)
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
    end_descendants()
    write(channel, job["token"], {"died": os.waitstatus_to_exitcode(status)})


def end_descendants() -> None:
    """End all processes below this one. As it is the parent of orphans, none has left the tree."""
    deadline = time.monotonic() + CLEAN_UP_LIMIT
    while time.monotonic() < deadline:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        for pid in descendants(os.getpid()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.002)


def descendants(root: int) -> set[int]:
    """The processes below one, from ``/proc``."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents[int(folder.name)] = int((folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    found: set[int] = set()
    below = {root}
    while below:
        below = {pid for pid, parent in parents.items() if parent in below} - found
        found |= below
    return found


def main(run: RunJob) -> None:
    """Read jobs from the standard input until it ends; answer on what was the standard output.

    Args:
        run: is ``worker.run``.
    """
    set_option(PR_SET_CHILD_SUBREAPER, 1)
    channel, source = os.dup(1), os.dup(0)
    for stream in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    write(channel, "", {"ready": True})
    read = io.FileIO(source).read
    while header := read(8):
        (length,) = struct.unpack(">Q", header)
        data = b""
        while len(data) < length:
            data += read(length - len(data)) or os._exit(0)
        job = pickle.loads(data)
        if FORKS and not job["keeps"]:
            forked(job, channel, source, run)
            continue
        job_process(job, channel, run)
        if not job["keeps"]:
            os._exit(0)
        write(channel, job["token"], {"died": 0})
    os._exit(0)
