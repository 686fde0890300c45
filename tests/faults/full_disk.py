"""Saving where the disk fills up: really, on a small file system in memory, and simulated at each call of the system.

A file system needs a mount, which this asks for in a namespace of its own: ``unshare`` grants it to any user on most
machines, and it goes when the process ends.
"""

import contextlib
import errno
import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import patch

from mutated_files import new_run

from minigpt.cli import main
from minigpt.training import load_checkpoint, save_checkpoint

PAGE = 4096
SIZE = 2**20
NO_FILE_SYSTEM = 125
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && exec "$3" "$4" "$2"'


def in_small_file_system(folder):
    """Run this file below a file system of :data:`SIZE` bytes, mounted on ``folder``.

    Returns:
        The finished process; its status is :data:`NO_FILE_SYSTEM` where no file system could be mounted.
    """
    if not sys.platform.startswith("linux"):
        return subprocess.CompletedProcess([], NO_FILE_SYSTEM, "", "only Linux mounts a file system for any user")
    inner = ["sh", "-c", f"{MOUNT} || exit {NO_FILE_SYSTEM}", "sh", str(SIZE), str(folder), sys.executable, __file__]
    command = ["unshare", "--map-root-user", "--mount", *inner]
    try:
        return subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, NO_FILE_SYSTEM, "", str(error))


def real(disk):
    """Save with less and less room, from enough down to none at all.

    Returns:
        The counts, and what went wrong.
    """
    checkpoints, run, counts, failures = disk / "checkpoints", new_run(), Counter(), []
    for pages in range(48, -1, -1):
        save_checkpoint(checkpoints, run.snapshot(1))
        _leave(disk, pages)
        message = _error_of(lambda: save_checkpoint(checkpoints, run.snapshot(2)))
        counts["saved" if message is None else "disk full"] += 1
        failures += [f"{pages} pages: {fault}" for fault in _faults(checkpoints, message)]
        (disk / "ballast").unlink()
        for folder in checkpoints.iterdir():
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    if {"saved", "disk full"} - set(counts):
        failures.append(f"the disk was never full, or always: {dict(counts)}")
    return counts, failures


def _leave(disk, pages):
    """Fill the disk up to so many free pages."""
    free = os.statvfs(disk)
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - pages * PAGE)))


def _error_of(save):
    try:
        save()
    except OSError as error:
        return str(error)
    return None


def _faults(checkpoints, message):
    """What a save must leave, whether it failed or not."""
    is_there = message is None or "the disk is full: step-00000002 is in" in message
    if not is_there and "the disk is full: step-00000002 was not saved" not in message:
        yield f"it said: {message}"
    wanted = ["step-00000001"] + ["step-00000002"] * is_there
    if (found := sorted(path.name for path in checkpoints.iterdir())) != wanted:
        yield f"found {found}"
    if load_checkpoint(checkpoints).step != len(wanted):
        yield "the wrong checkpoint was loaded"


def command(disk):
    """`minigpt train`, `prepare` and `tokenizer` on the full disk: one line on stderr and exit status 2.

    Returns:
        The counts, and what went wrong.
    """
    counts, failures = Counter(), []
    text = disk / "text.txt"
    text.write_text("the cat sat on the mat. " * 200)
    small = [
        "--text",
        str(text),
        "--steps",
        "40",
        "--context-length",
        "8",
        "--batch-size",
        "2",
        "--checkpoint-every",
        "1",
    ]
    for name, words in {
        "train": ["train", *small, "--preset", "nano", "--out", str(disk / "run")],
        "train in the background": ["train", *small, "--out", str(disk / "run"), "--background-saves"],
        "prepare": ["prepare", str(text), "--tokenizer", "char", "--out", str(disk / "data"), "--workers", "1"],
        "tokenizer": ["tokenizer", "--text", str(text), "--vocab-size", "260", "--out", str(disk / "tokenizer.json")],
    }.items():
        _leave(disk, 6 if name.startswith("train") else 0)
        status, said = _run(words)
        (disk / "ballast").unlink()
        counts[name] = status
        if status != 2 or said.count("\n") != 1 or "the disk is full" not in said:
            failures.append(f"{name}: status {status}, {said!r}")
    if litter := [path.name for path in disk.iterdir() if path.name not in ("text.txt", "run", "checkpoints")]:
        failures.append(f"litter: {litter}")
    return counts, failures


def _run(words):
    """The exit status of the command and what it wrote to stderr."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            main(words)
        except SystemExit as end:
            return end.code, said.getvalue()
    return 0, said.getvalue()


def simulated(folder):
    """A full disk at one call after another of those that a save makes of the system.

    Returns:
        The counts, and what went wrong.
    """
    run, counts, failures = new_run(), Counter(), []
    for call in range(1000):
        checkpoints = folder / f"call-{call}"
        save_checkpoint(checkpoints, run.snapshot(1))
        calls = iter(range(1000))
        with contextlib.ExitStack() as stack:
            for owner, name in ((os, "fsync"), (os, "mkdir"), (os, "rename"), (Path, "open")):
                stack.enter_context(patch.object(owner, name, _full_at(getattr(owner, name), calls, call)))
            message = _error_of(lambda at=checkpoints: save_checkpoint(at, run.snapshot(2)))
        failures += [f"call {call}: {fault}" for fault in _faults(checkpoints, message)]
        if message is None:
            return counts, failures
        counts["disk full"] += 1
    raise AssertionError("the save has no end")


def _full_at(function, calls, call):
    def full(*arguments, **options):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments, **options)

    return full


if __name__ == "__main__":
    disk = Path(sys.argv[1])
    reports = [("saves", real(disk)), ("commands, exit status", command(disk))]
    print("; ".join(f"{title}: {dict(counts)}" for title, (counts, _) in reports))
    sys.exit("\n".join(failure for _, (_, failures) in reports for failure in failures) or 0)
