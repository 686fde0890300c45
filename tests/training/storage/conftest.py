"""A checkpoint of a few numbers, and the hand of a forger."""

import hashlib
import json

import pytest
import torch

from minigpt.training import Checkpoint

STATE = {"model_config": {"vocab_size": 3}, "train_config": {}, "tokenizer": None, "data": {}}


@pytest.fixture
def checkpoint():
    """The checkpoint of a step."""

    def build(step):
        tensors = {"w": torch.full((3, 2), float(step)), "b": torch.arange(4, dtype=torch.bfloat16)}
        return Checkpoint(step=step, model=tensors, optimizer={"w.m": torch.ones(3, 2) * step}, state=STATE)

    return build


@pytest.fixture
def forge_manifest():
    """Makes the manifest fit whatever a file now holds."""

    def forge(folder, name):
        data = (folder / name).read_bytes()
        manifest = json.loads((folder / "MANIFEST.json").read_text())
        manifest[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / "MANIFEST.json").write_text(json.dumps(manifest))

    return forge
