"""Runs that are killed or asked to stop, at instants that nobody chose.

Every run is a fork of this process, which has imported everything and computed nothing, so that a run costs no start.
"""

import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from functools import cache
from pathlib import Path

from tiny_run import CONFIG, faults_in, hashes, new_model, parts, train

import minigpt as mg
from minigpt.training import AdamW, load_checkpoint
from minigpt.training.storage.folders import checkpoint_folders

# the code that saves, by the ends of its files' names
SAVES = ("storage/whole.py", "storage/checkpoint.py", "storage/folders.py", "files/folder.py", "shutil.py")
PRETRAINED_SAVES = ("pretrained/folder.py", "files/folder.py", "files/atomic.py", "shutil.py")


def warm_up():
    """Import what PyTorch puts off until it is needed; a backward pass would leave threads, which can't be forked."""
    AdamW(new_model().parameters())
    new_model()(parts()[1].batch(0, 2)[0])


def fork(run, *arguments, **options):
    """Run a function in a child, which ends with status 0, or 1 after a traceback; its process id."""
    if child := os.fork():
        return child
    try:
        run(*arguments, **options)
        status = 0
    except BaseException:
        traceback.print_exc()
        status = 1
    os._exit(status)


def join(child):
    """Wait for a child: its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@cache
def uninterrupted(**settings):
    """The hashes at each step of a run that nothing happens to."""
    with tempfile.TemporaryDirectory() as folder:
        assert join(fork(train, Path(folder), keep_checkpoints=CONFIG.steps, **settings)) == 0
        return {int(saved.name[5:]): hashes(saved) for saved in checkpoint_folders(Path(folder) / "checkpoints")}


def sigkills(folder, n, *, background=False, longest=0.35, **settings):
    """Kill a run ``n`` times at random instants; it goes on each time, and starts anew whenever it has come to its end.

    Returns:
        The counts, and what went wrong.
    """
    expected, chance = uninterrupted(**settings), random.Random(n)
    counts, failures, runs = Counter(), [], 1
    while counts["kills"] < n:
        out = folder / f"run-{runs}"
        newest = _newest(out)
        child = fork(train, out, resume="auto", background_saves=background, **settings)
        time.sleep(chance.uniform(0, longest))
        os.kill(child, signal.SIGKILL)
        status = join(child)
        counts["kills"] += status == -signal.SIGKILL
        if status > 0:
            failures.append(f"{out.name} could not go on from step {newest}")
        counts["in a save"] += bool(list(out.glob("checkpoints/*.tmp")))
        failures += _after(out, expected, newest)
        if failures or _newest(out) == CONFIG.steps:
            counts["runs ended"] += 1
            failures += _at_the_end(out, settings)
            runs += 1
    return counts, failures


def _newest(out):
    folders = checkpoint_folders(out / "checkpoints")
    return int(folders[-1].name[5:]) if folders else 0


def _after(out, expected, newest):
    """What a kill must leave: whole checkpoints, none older than before, and two of them as soon as there were two."""
    yield from faults_in(out, expected)
    if (now := _newest(out)) < newest:
        yield f"step {newest} was there before, now {now}"
    if len(checkpoint_folders(out / "checkpoints")) < min(now, 2):
        yield f"at step {now} fewer than two checkpoints are left"
    if now and load_checkpoint(out / "checkpoints").step != now:
        yield f"step {now} is there and was not loaded"


def _at_the_end(out, settings):
    """What a run leaves that came to its end in spite of everything: no gap in the log and no litter."""
    if (status := join(fork(train, out, resume=True, **settings))) != 0:
        yield f"{out.name} ended with status {status}"
    lines = (out / "log.jsonl").read_text().splitlines()
    if [json.loads(line)["step"] for line in lines] != list(range(CONFIG.steps)):
        yield f"the log of {out.name} has gaps or repeats"
    litter = {path.name for path in [*out.iterdir(), *(out / "checkpoints").iterdir()] if path.suffix != ".jsonl"}
    if any(name.startswith(".") or name.endswith((".tmp", ".damaged")) for name in litter):
        yield f"litter in {out.name}: {sorted(litter)}"


class Clock:
    """Data that shows this process how far its child has come: the step whose batch was asked for last."""

    def __init__(self):
        self.memory = mmap.mmap(-1, 1)
        self.memory[0] = 255

    def __getattr__(self, name):
        return getattr(parts()[1], name)

    def batch(self, step, *arguments, **options):
        self.memory[0] = step
        return parts()[1].batch(step, *arguments, **options)

    @property
    def step(self):
        return self.memory[0]


def stops(folder, n, number, *, longest=0.06):
    """Send a signal to ``n`` runs at random instants; each must end by itself within a step, with that step saved.

    The run is frozen first, so that it is known where the signal met it.

    Returns:
        The counts, and what went wrong.
    """
    expected, chance = uninterrupted(), random.Random(n)
    counts, failures = Counter(), []
    while counts["stopped"] < n:
        out, clock = folder / f"run-{counts['stopped']}-{counts['too late']}", Clock()
        every, background = chance.choice([(0, False), (0, True), (1, False), (1, True), (3, False)])
        child = fork(train, out, data=clock, checkpoint_every=every, background_saves=background)
        while clock.step == 255:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, longest))
        met = _signal_frozen(child, number, clock)
        status, saved = join(child), _newest(out)
        if saved == CONFIG.steps:  # it may have come to its end before the signal did
            counts["too late"] += 1
            continue
        counts["stopped"] += 1
        counts[f"after {saved - 1 - met} more steps"] += 1
        failures += _after_stop(out, expected, status, met, every)
    return counts, failures


def _signal_frozen(child, number, clock):
    """Stop the child's clock, send the signal, let it go on; the step that the signal met."""
    os.kill(child, signal.SIGSTOP)
    os.waitid(os.P_PID, child, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    met = clock.step
    os.kill(child, number)
    os.kill(child, signal.SIGCONT)
    return met


def _after_stop(out, expected, status, met, every):
    if status != 0:
        yield f"{out.name} ended with status {status}"
    if not met <= _newest(out) - 1 <= met + 1:
        yield f"{out.name}: the signal met step {met}, the last one saved is {_newest(out) - 1}"
    if every == 0 and len(checkpoint_folders(out / "checkpoints")) != 1:
        yield f"{out.name} left other checkpoints than the one it was asked for"
    yield from faults_in(out, expected)
    if list(out.glob("checkpoints/*.tmp")):
        yield f"{out.name} left litter"


def second_signals(folder, n, number):
    """Send the same signal twice within one step: the second one ends the run at once, the checkpoints stay whole."""
    expected, counts, failures = uninterrupted(), Counter(), []

    class Twice(Clock):
        def batch(self, step, *arguments, **options):
            if step == 5:
                signal.raise_signal(number)  # unlike os.kill, it has been handled when this returns
                signal.raise_signal(number)
            return super().batch(step, *arguments, **options)

    def interrupted(out, **options):
        try:
            train(out, **options)
        except KeyboardInterrupt:
            os._exit(130)

    for i in range(n):
        out = folder / f"run-{i}"
        status = join(fork(interrupted, out, data=Twice(), background_saves=bool(i % 2)))
        counts["ended at once"] += status == (130 if number == signal.SIGINT else -number)
        failures += [f"{out.name} ended with status {status}"] * (status in (0, 1))
        failures += [*faults_in(out, expected), *_after(out, expected, 4)]
    return counts, failures


def kills_at_lines(folder, every=1):
    """Kill a save at one line after another of the code that saves, which random instants might all miss.

    Returns:
        The counts, and what went wrong.
    """
    expected, counts, failures = uninterrupted(), Counter(), []
    assert join(fork(train, folder / "base", data=_Stop(3))) == 0
    for line in range(0, 10**6, every):
        out = folder / f"line-{line}"
        status = join(fork(_train_until_line, folder / "base", out, line))
        failures += [*faults_in(out, expected), *_after(out, expected, 3)]
        if status == 0:
            return counts, failures
        counts["kills"] += 1
        counts["in a save"] += bool(list(out.glob("checkpoints/*.tmp")))
    raise AssertionError("the save has no end")


class _Stop(Clock):
    """Data that asks the run to stop after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def batch(self, step, *arguments, **options):
        if step == self.steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return super().batch(step, *arguments, **options)


def _killed_at(line, files):
    """What to give to ``sys.settrace`` so that the process dies at this line of the code in these files."""
    left = line

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_code.co_filename.endswith(files):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os._exit(9)
        return trace

    return trace


def _train_until_line(base, out, line):
    shutil.copytree(base, out)

    class Traced(_Stop):
        def batch(self, step, *arguments, **options):
            sys.settrace(_killed_at(line, SAVES))
            return super().batch(step, *arguments, **options)

    train(out, resume=True, data=Traced(5))


def kills_of_a_written_model(folder, every=1):
    """Kill ``save_pretrained`` over an older model at one line after another: the folder holds the one or the other.

    The two models have tensors of the same shapes, so a mixture of them would load.

    Returns:
        The counts, and what went wrong.
    """
    shape = {"vocab_size": 5, "context_length": 4, "d_model": 4, "n_layers": 1}
    models = [mg.GPT(mg.GPTConfig(**shape, n_heads=n, mlp=mlp)) for n, mlp in ((1, "gelu"), (2, "gelu-tanh"))]
    known, counts, failures = {}, Counter(), []
    for name, model in zip(("old", "new"), models, strict=True):
        mg.save_pretrained(model, folder / name)
        known[_files(folder / name)] = name
    for line in range(0, 10**6, every):
        out = folder / f"line-{line}" / "model"
        shutil.copytree(folder / "old", out)
        (out / "notes.txt").write_text("mine")
        status = join(fork(_save_until_line, models[1], out, line))
        if not out.is_dir() or not (out / "notes.txt").is_file():
            failures.append(f"line {line}: the folder, or a file that is none of ours, is gone")
            continue
        (out / "notes.txt").unlink()
        fate = known.get(_files(out), "NEITHER")
        counts[fate] += 1
        failures += [f"line {line}: {sorted(path.name for path in out.iterdir())}"] if fate == "NEITHER" else []
        if status == 0:
            return counts, failures
    raise AssertionError("the save has no end")


def _files(folder):
    """Names and hashes of the files of a folder."""
    return tuple(sorted((path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in folder.iterdir()))


def _save_until_line(model, out, line):
    sys.settrace(_killed_at(line, PRETRAINED_SAVES))
    mg.save_pretrained(model, out)
    sys.settrace(None)
