"""A checkpoint with one JSON field of another type is loaded, or refused by one error; nothing is read outside."""

import copy
import json

import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig, load_checkpoint, save_checkpoint
from minigpt.training.run_state import model_from

TYPES = (None, True, 3, 0.5, "/etc/hostname", "", [], [1], {}, {"a": 1})
TEXT = "the cat sat on the mat. the dog sat on the log. " * 20


@pytest.fixture(scope="module")
def run():
    tokenizer = mg.CharTokenizer.train(TEXT)
    shape = {"vocab_size": tokenizer.vocab_size, "context_length": 8, "d_model": 4, "n_heads": 1, "n_layers": 1}
    model = mg.GPT(mg.GPTConfig(**shape))
    config = TrainConfig(steps=3, batch_size=2, learning_rate=0.01, device="cpu")
    return RunState(model, config, mg.TokenDataset.from_text(TEXT, tokenizer, 8), tokenizer)


@pytest.fixture(scope="module")
def saved(run, tmp_path_factory):
    return save_checkpoint(tmp_path_factory.mktemp("run"), run.snapshot(1))


def places(value, path=()):
    """Every place in a JSON object, the object itself left out."""
    for key, inner in value.items():
        yield (*path, key)
        if isinstance(inner, dict):
            yield from places(inner, (*path, key))


def with_changed(value, path, new):
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return changed


def load_its_tokenizer(checkpoint):
    if checkpoint.state["tokenizer"] is not None:
        mg.load_tokenizer(checkpoint.state["tokenizer"])


def attempt(folder, run):
    """Whether all that is done with a checkpoint works; anything but a ValueError passes through."""
    try:
        checkpoint = load_checkpoint(folder)
    except ValueError:
        return False
    works = True
    for use in (run.restore, load_its_tokenizer, model_from):
        try:
            use(checkpoint)
        except ValueError:
            works = False
    return works


@pytest.mark.filterwarnings("ignore:.*is damaged and passed over:UserWarning")
@pytest.mark.filterwarnings("ignore:the run continues with:UserWarning")
@pytest.mark.parametrize("file", ["state.json", "MANIFEST.json"])
def test_one_field_of_another_type_is_one_clear_error_or_loads(run, saved, file, forge_manifest, monkeypatch):
    original = json.loads((saved / file).read_text())
    text, manifest = (saved / file).read_bytes(), (saved / "MANIFEST.json").read_bytes()
    monkeypatch.chdir(saved)
    counts = {True: 0, False: 0}
    for place in places(original):
        for value in TYPES:
            (saved / file).write_text(json.dumps(with_changed(original, place, value)))
            if file != "MANIFEST.json":
                forge_manifest(saved, file)
            counts[attempt(saved.parent, run)] += 1
    (saved / file).write_bytes(text)
    (saved / "MANIFEST.json").write_bytes(manifest)
    assert attempt(saved.parent, run)
    assert counts[False] > counts[True]
    assert sum(counts.values()) == len(TYPES) * len(list(places(original))) > 50
    model = model_from(load_checkpoint(saved.parent))
    torch.testing.assert_close(dict(model.state_dict()), dict(run.model.state_dict()))
