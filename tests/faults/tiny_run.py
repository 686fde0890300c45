"""The run that everything here happens to: it saves after each step, and every source of chance is in it.

It has dropout, accumulation and AdamW, so that a resumed run can only end with the right bits if weights, moments, data
position and the dropout's generator were all put back.
"""

import hashlib
import json
import warnings
from dataclasses import replace
from functools import cache

import torch

import minigpt as mg
from minigpt.training import TrainConfig
from minigpt.training.storage.folders import checkpoint_folders

TEXT = "the cat sat on the mat. the dog sat on the log. " * 20
CONFIG = TrainConfig(
    steps=30, batch_size=4, micro_batch_size=2, learning_rate=0.01, eval_every=0, checkpoint_every=1, device="cpu"
)
TENSORS = ("model.safetensors", "optimizer.safetensors")


@cache
def parts():
    """The tokenizer and the data."""
    tokenizer = mg.CharTokenizer.train(TEXT)
    return tokenizer, mg.TokenDataset.from_text(TEXT, tokenizer, 16)


def new_model():
    shape = {"context_length": 16, "d_model": 16, "n_heads": 2, "n_layers": 1, "dropout": 0.2}
    config = mg.GPTConfig(vocab_size=parts()[0].vocab_size, **shape)
    return mg.GPT(config, generator=torch.Generator().manual_seed(0))


def train(out, *, data=None, resume=False, **changes):
    """Train; whatever the library warns of is an error, since only what the test did is allowed to be wrong."""
    tokenizer, own = parts()
    torch.seed()  # by chance, since PyTorch's global generator must not matter
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        config = replace(CONFIG, **changes)
        return mg.train(new_model(), data or own, config, tokenizer=tokenizer, out=out, resume=resume, progress=False)


def hashes(checkpoint):
    """The sha256 of the weights and the moments of one checkpoint's folder."""
    return {name: hashlib.sha256((checkpoint / name).read_bytes()).hexdigest() for name in TENSORS}


def faults_in(out, expected):
    """What is wrong with the checkpoints of a run, in words: found by hashing, without the library's own reader.

    Args:
        out: the run folder.
        expected: from the step to the :func:`hashes` of the run that nothing happened to.
    """
    for folder in checkpoint_folders(out / "checkpoints"):
        step = int(folder.name.removeprefix("step-"))
        try:
            manifest = json.loads((folder / "MANIFEST.json").read_text())
            whole = all(
                hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"]
                for name, entry in manifest.items()
            )
            if len(manifest) != 3 or not whole:
                yield f"{folder.name} does not match its manifest"
            elif hashes(folder) != expected[step]:
                yield f"{folder.name} differs from the uninterrupted run"
        except (OSError, ValueError) as error:
            yield f"{folder.name} can't be read: {error}"
