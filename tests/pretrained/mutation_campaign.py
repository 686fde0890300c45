"""Damaged folders of the Llama family: ``python tests/pretrained/mutation_campaign.py [NUMBER]``.

Each mutant changes a config.json, a file of weights or an index in one or two places. Loading it may raise a
``ValueError`` or give what transformers gives for the same folder. Anything else is a failure: another exception, or
other logits. A format without checksums cannot show that bytes of weights have changed, so those are counted apart.
"""

import json
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from twin_configurations import TWINS, make_twin, some_ids

from minigpt.pretrained import pretrained_model

BASES = (
    "llama, llama3",
    "llama, all biases, tied",
    "qwen2, layer types",
    "qwen3, window",
    "mistral, window",
    "mixtral",
)
VALUES = (
    None,
    True,
    False,
    0,
    1,
    2,
    3,
    -1,
    1.5,
    1e30,
    10**30,
    float("nan"),
    "",
    "llama",
    "yarn",
    [],
    {},
    [1],
    {"a": 1},
)


def change_object(rng, value):
    """A JSON object with one of its entries changed, lost, renamed or added, at any depth."""
    inner = [name for name, part in value.items() if isinstance(part, dict) and part]
    if inner and rng.random() < 0.4:
        name = rng.choice(inner)
        return value | {name: change_object(rng, value[name])}
    name, changed = rng.choice(list(value)), dict(value)
    way = rng.randrange(4)
    if way == 0:
        changed[name] = rng.choice(VALUES)
    elif way == 1 and isinstance(value[name], int | float) and not isinstance(value[name], bool):
        changed[name] = value[name] * rng.choice((0.5, 2, 3, -1)) + rng.choice((0, 1))
    elif way == 2:
        del changed[name]
    else:
        changed[rng.choice((name + "x", "scale_emb", "rope_theta", "head_dim", "attn_scale"))] = rng.choice(VALUES)
    return changed


def change_bytes(rng, data):
    """Bytes with some changed, lost or added."""
    place, data = rng.randrange(len(data)), bytearray(data)
    way = rng.randrange(3)
    if way == 0:
        data[place] ^= 1 << rng.randrange(8)
    elif way == 1:
        del data[place : place + rng.choice((1, 7, len(data)))]
    else:
        data[place:place] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 8))))
    return bytes(data)


def mutate(rng, folder):
    """Change one file; what was changed, and whether it was the numbers of a tensor."""
    kind = rng.choice(("config", "config", "text", "weights", "header", "index"))
    index = folder / "model.safetensors.index.json"
    file = {"config": folder / "config.json", "text": folder / "config.json", "index": index}.get(kind)
    if file is None:
        file = rng.choice(sorted(folder.glob("*.safetensors")))
    data = file.read_bytes()
    if kind in ("config", "index"):
        for _ in range(rng.choice((1, 1, 2))):
            data = json.dumps(change_object(rng, json.loads(data)) or {"a": 1}).encode()
    elif kind == "text":
        data = change_bytes(rng, data)
    else:
        header = 8 + int.from_bytes(data[:8], "little")
        start, part = (0, data[:header]) if kind == "header" else (header, data[header:])
        data = data[:start] + change_bytes(rng, part) + data[start + len(part) :]
    file.write_bytes(data)
    return kind


def logits_of(model):
    with torch.no_grad():
        found = model(some_ids(1, 12))
    return getattr(found, "logits", found)


def fate(folder, kind):
    """What becomes of a mutant."""
    try:
        ours = logits_of(pretrained_model(folder))
    except ValueError:
        return "refused"
    except Exception as error:
        return f"CRASH {type(error).__name__}: {error}"
    if kind == "weights":
        return "changed numbers, not to be seen"
    from transformers import AutoModelForCausalLM

    try:
        theirs = logits_of(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())
    except Exception as error:
        return f"loaded here alone ({type(error).__name__})"
    if ours.shape == theirs.shape and (ours - theirs).abs().max() <= 1e-4:
        return "the same as in transformers"
    return "WRONG"


def campaign(n, seed=0, tell=print):
    """The fates of ``n`` mutants, and descriptions of those that must not be."""
    rng, fates, failures = random.Random(seed), Counter(), []
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bases = {}
        for i, name in enumerate(BASES):
            bases[name] = Path(place) / f"base{i}"
            make_twin(name).save_pretrained(bases[name], max_shard_size="12kB")
        for number in range(n):
            name, folder = rng.choice(BASES), Path(place) / "mutant"
            shutil.copytree(bases[name], folder)
            kind = mutate(rng, folder)
            found = fate(folder, kind)
            fates[found.split(":")[0] if found.startswith("CRASH") else found] += 1
            if found.startswith(("CRASH", "WRONG")) or "alone" in found:
                was, now = ((at / "config.json").read_text(errors="replace") for at in (bases[name], folder))
                lines = [line for line in now.replace(", ", "\n").splitlines() if line.strip(" ,") not in was]
                failures.append(f"{number} {name}, {kind}: {found[:150]} {lines[:4]}")
            shutil.rmtree(folder)
            if tell and number % 500 == 499:
                tell(f"{number + 1} mutants: {dict(fates)}")
    return fates, failures


if __name__ == "__main__":
    assert set(BASES) <= set(TWINS)
    fates, failures = campaign(int(sys.argv[1]) if len(sys.argv) > 1 else 3000)
    print(dict(fates), *failures, sep="\n")
    sys.exit(any("alone" not in failure for failure in failures))
