"""Checkpoints whose files were damaged by chance, forged by someone, or replaced by a pickle that would run."""

import hashlib
import itertools
import json
import os
import pickle
import random
import shutil
import warnings
from collections import Counter

import torch
from tiny_run import CONFIG, TEXT, new_model, parts

import minigpt as mg
from minigpt.runs import RunConfig, load_model
from minigpt.training import History, RunState, load_checkpoint, save_checkpoint

FILES = ("MANIFEST.json", "state.json", "model.safetensors", "optimizer.safetensors")


def flip(data, chance):
    """One to eight bits, anywhere."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def truncate(data, chance):
    return data[: chance.randrange(len(data))]


def extend(data, chance):
    return data + chance.randbytes(chance.choice([1, 7, 512, 4096]))


def zero(data, chance):
    """A block of the disk that was never written."""
    size = chance.choice([1, 16, 512, 4096])
    start = chance.randrange(len(data)) // size * size
    return (data[:start] + bytes(len(data[start : start + size])) + data[start + size :])[: len(data)]


def retype(data, chance):
    """One value of a JSON file, or of a safetensors header, becomes another value that JSON allows."""
    if data[:1] == b"{":
        return json.dumps(_with_one_changed(json.loads(data), chance)).encode()
    size = int.from_bytes(data[:8], "little")
    header = json.dumps(_with_one_changed(json.loads(data[8 : 8 + size]), chance)).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + size :]


def _with_one_changed(value, chance):
    if isinstance(value, dict | list) and value and chance.random() < 0.95:
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value[key] = _with_one_changed(value[key], chance)
        return value
    return chance.choice(VALUES)


VALUES = (
    None,
    True,
    -1,
    0,
    3,
    10**12,
    10**30,
    0.5,
    "",
    "F64",
    "é" * 99,
    [],
    {},
    [1, 2, 3],
    json.loads("[" * 99 + "]" * 99),
)
DAMAGES = (flip, truncate, extend, zero, retype)


def damaged(folder, n):
    """Damage ``n`` files; the damage must never be loaded, nor be answered by anything but one ValueError.

    Every second checkpoint has an older one beside it, which must then be loaded.

    Returns:
        What became of each, and what went wrong.
    """
    source, chance = saved(folder / "whole"), random.Random(0)
    known = {_content(load_checkpoint(path.parent)): path.parent.name for path in source}
    counts, failures = Counter(), []
    for i in range(n):
        place, alone = folder / "damaged", bool(i % 2)
        newest = _copy(source[1:] if alone else source, place)
        file, damage = FILES[i // 2 % 4], [*DAMAGES, swap][i // 8 % 6]
        if damage is swap:
            (newest / file).write_bytes(swap(source, file, chance))
        else:
            (newest / file).write_bytes(damage((newest / file).read_bytes(), chance))
        fate = _fate(lambda place=place: known.get(_content(load_checkpoint(place)), "SILENTLY WRONG"))
        counts[fate] += 1
        if fate not in ("newest", "refused" if alone else "older"):
            failures.append(f"{i}: {damage.__name__} of {file} (alone: {alone}): {fate}")
    return counts, failures


def forged(folder, n, every=1):
    """As `damaged`, but the manifest is made to fit, as only someone who means harm would do.

    What is then loaded may be nonsense; but it is loaded, or refused by a ValueError, and nothing else happens. Besides
    ``n`` damages by chance, each of :data:`VALUES` is tried in each field of the configurations, or ``every`` so many.
    """
    source, chance, place = saved(folder / "whole"), random.Random(1), folder / "run" / "checkpoints"
    counts, failures = Counter(), []

    def attempt(file, change, what):
        newest = _copy(source[1:], place)
        (newest / file).write_bytes(change((newest / file).read_bytes()))
        forge_manifest(newest, file)
        fates = {_fate(lambda use=use: use(folder / "run") and "loaded") for use in (load_model, go_on)}
        counts["loaded" if fates == {"loaded"} else "refused"] += 1
        failures.extend(f"{what} of {file}: {fate}" for fate in fates - {"loaded", "refused"})

    for i in range(n):
        damage = (retype, retype, flip, truncate, extend, zero)[i // 3 % 6]
        attempt(FILES[1 + i % 3], lambda data, damage=damage: damage(data, chance), f"{i}: {damage.__name__}")
    state = json.loads((source[1] / "state.json").read_text())
    fields = [
        (part, name)
        for part in ("model_config", "train_config", "tokenizer", "data", "carried")
        for name in state[part]
    ]
    for (part, name), value in list(itertools.product(fields, VALUES))[::every]:
        changed = {**state, part: {**state[part], name: value}}
        attempt(
            "state.json", lambda _, changed=changed: json.dumps(changed).encode(), f"{part}.{name} = {str(value)[:20]}"
        )
    return counts, failures


def swap(source, file, chance):
    """Another file in place of this one: of the same checkpoint, or of the one before."""
    other = chance.choice([name for name in FILES if name != file])
    return chance.choice([source[1] / other, source[0] / file]).read_bytes()


def saved(folder):
    """Two checkpoints of one run, each alone in a folder: the older and the newest."""
    run = new_run()
    for name, step in (("older", 1), ("newest", 2)):
        checkpoint = run.snapshot(step)
        for tensor in [*checkpoint.model.values(), *checkpoint.optimizer.values()]:
            tensor.copy_(torch.rand(tensor.shape))
        save_checkpoint(folder / name, checkpoint)
    return [folder / "older" / "step-00000001", folder / "newest" / "step-00000002"]


def new_run():
    tokenizer, data = parts()
    model = new_model()
    return RunState(model, CONFIG, data, tokenizer)


def go_on(out):
    """What a resumed run does with a checkpoint; `load_model` is the other use there is."""
    return new_run().restore(load_checkpoint(out / "checkpoints"))


def forge_manifest(folder, *names):
    """Make the manifest fit whatever the files now hold."""
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    for name in names:
        data = (folder / name).read_bytes()
        manifest[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))


def _copy(source, place):
    """A fresh copy of these checkpoints; the newest of the copies."""
    shutil.rmtree(place, ignore_errors=True)
    for path in source:
        shutil.copytree(path, place / path.name)
    return place / source[-1].name


def _fate(load):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return load()
    except ValueError:
        return "refused"
    except BaseException as error:
        return f"crashed with {type(error).__name__}: {str(error)[:200]}"


def _content(checkpoint):
    """Everything in a checkpoint, as one hash."""
    tensors = {**checkpoint.model, **{f"optimizer {name}": tensor for name, tensor in checkpoint.optimizer.items()}}
    named = [f"{name} {t.dtype} {tuple(t.shape)} {t.numpy().tobytes().hex()}" for name, t in sorted(tensors.items())]
    return hashlib.sha256("\n".join([json.dumps([checkpoint.step, checkpoint.state]), *named]).encode()).hexdigest()


class Bomb:
    """Its pickle makes a folder when it is read."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


DUMPS = {
    "pickle 0": lambda bomb, file: pickle.dump(bomb, file, 0),
    "pickle 2": lambda bomb, file: pickle.dump(bomb, file, 2),
    "pickle 5": lambda bomb, file: pickle.dump(bomb, file, 5),
    "torch.save": torch.save,
    "torch.save, old": lambda bomb, file: torch.save(bomb, file, _use_new_zipfile_serialization=False),
}


def planted(folder, kinds=tuple(DUMPS)):
    """Put a pickle that would run into the place of every file that is ever read, and beside them; read them all.

    Returns:
        The counts, and what went wrong.
    """
    marker, out, counts, failures = folder / "executed", folder / "run", Counter(), []
    source = saved(folder / "whole")
    config = RunConfig.of(corpus="tiny-world", out=out)
    for kind in kinds:
        for place in [*FILES, "data.pkl", "model.pt", "../../run.json", "../../log.jsonl", *PREPARED, "tokenizer.json"]:
            shutil.rmtree(out, ignore_errors=True)
            newest = _copy(source[1:], out / "checkpoints")
            (out / "run.json").write_text(config.to_json())
            (out / "log.jsonl").write_text('{"step": 0, "loss": 1.0}\n')
            mg.prepare(_text(folder), parts()[0], out / "data", workers=1, progress=False)
            victim = (out / "data" if place in PREPARED or place == "tokenizer.json" else newest) / place
            with victim.open("wb") as file:
                DUMPS[kind](Bomb(marker), file)
            if place in FILES[1:]:
                forge_manifest(newest, place)
            for read in READERS:
                fate = _fate(lambda read=read: str(read(out)))
                if fate.startswith("crashed"):
                    failures.append(f"{kind} as {place}: {fate}")
            counts["planted"] += 1
            if marker.exists():
                counts["EXECUTED"] += 1
                failures.append(f"{kind} as {place} was executed")
                marker.rmdir()
    return counts, failures


PREPARED = ("train/00000.bin", "train/00000.json", "validation/00000.bin")
READERS = (
    load_model,
    go_on,
    RunConfig.read,
    lambda out: History.read(out / "log.jsonl"),
    lambda out: mg.open_prepared(out / "data", verify=True),
    lambda out: mg.load_tokenizer(out / "data" / "tokenizer.json"),
    lambda out: mg.load_tokenizer(out / "run.json"),
)


def _text(folder):
    path = folder / "text.txt"
    path.write_text(TEXT)
    return path
