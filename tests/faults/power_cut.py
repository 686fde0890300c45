"""A model of a disk that loses its power: what was not flushed may be there, or not, or in part.

A kill leaves the machine's memory alone, so it can't show that a flush is missing. Here the calls of the system are
watched; at each of them the disks are built that a power cut could have left behind:

* a file has the bytes of its last flush; later ones are lost, or zeros;
* a folder names the files of its last flush, or those of now: each folder for itself, whatever the order of the calls.
"""

import os
import random
import shutil
from collections import Counter
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from unittest.mock import patch

WATCHED = ("fsync", "mkdir", "rename", "unlink", "rmdir")


class Disk:
    """Knows what below ``root`` has been flushed; files and folders go by ids of their own, as they change names.

    Args:
        root: an empty folder.
    """

    def __init__(self, root):
        self.root, self._ids, self._fresh = root, {}, count(1)
        self._flushed = {self._now()[root]: {}}  # from an id to its bytes, or to its names and their ids

    @contextmanager
    def watched(self, look):
        """Call ``look`` before each call of the system, and at the end."""
        calls = {name: getattr(os, name) for name in WATCHED}
        with patch.multiple(os, **{name: self._watch(name, calls, look) for name in WATCHED}):
            yield
        look()

    def _watch(self, name, calls, look):
        def call(*arguments, **options):
            with patch.multiple(os, **calls):
                look()
                result = calls[name](*arguments, **options)
                now = self._now()
                if name == "fsync" and (path := Path(f"/proc/self/fd/{arguments[0]}").readlink()) in now:
                    self._flushed[now[path]] = self._names(path, now) if path.is_dir() else path.read_bytes()
                return result

        return call

    def _now(self):
        """Every path with the id of what it names; an inode that is used again gets a new id."""
        inodes = {path: path.stat().st_ino for path in [self.root, *self.root.rglob("*")]}
        self._ids = {inode: self._ids.get(inode) or next(self._fresh) for inode in inodes.values()}
        return {path: self._ids[inode] for path, inode in inodes.items()}

    @staticmethod
    def _names(folder, now):
        return {path.name: now[path] for path in folder.iterdir()}

    def after_a_cut(self, place, seed):
        """Build one of the disks that a power cut at this moment could leave.

        Seed 0 has nothing but what was flushed, seed 1 everything but the bytes that were not; the others lie between.
        """
        now, chance = self._now(), random.Random(seed)
        names = {id_: self._names(path, now) for path, id_ in now.items() if path.is_dir()}
        sizes = {id_: path.stat().st_size for path, id_ in now.items()}

        def build(id_, at):
            flushed = self._flushed.get(id_)
            if id_ in names or isinstance(flushed, dict):
                at.mkdir()
                goes_back = id_ not in names or (seed == 0 if seed < 2 else chance.random() < 0.5)
                for name, inner in ((flushed or {}) if goes_back else names[id_]).items():
                    build(inner, at / name)
            else:
                at.write_bytes(bytes(chance.choice([0, sizes.get(id_, 0)])) if flushed is None else flushed)

        shutil.rmtree(place, ignore_errors=True)
        build(now[self.root], place)
        return place


def power_cuts(folder, save, steps_in, *, saves=3, variants=4):
    """Save a few times with the power cut at each call of the system.

    Args:
        folder: an empty one.
        save: ``save(root, step)`` writes the checkpoint of a step.
        steps_in: ``steps_in(root)`` is the step that can be loaded, ``None`` if there is none.
        saves: how many.
        variants: disks at each call.

    Returns:
        The counts, and what went wrong.
    """
    root, counts, failures, promised = folder / "root", Counter(), [], 0
    root.mkdir()
    disk = Disk(root)

    def look():
        for seed in range(variants):
            counts["disks"] += 1
            found = steps_in(disk.after_a_cut(folder / "after", seed)) or 0
            if not promised <= found <= step:
                failures.append(f"steps up to {promised} were saved, of {step} it had begun; {found} is there")

    for step in range(1, saves + 1):
        with disk.watched(look):
            save(root, step)
            promised = step
    return counts, failures
