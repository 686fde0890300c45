"""What is given as a path and is none is one clear error, at every function that takes a path."""

import re
from pathlib import Path

import pytest

import minigpt as mg
from minigpt.files.atomic import write_atomically
from minigpt.files.paths import as_path
from minigpt.pretrained import pretrained_config, pretrained_model
from minigpt.runs import RunConfig
from minigpt.runs.summary import RunSummary, list_runs
from minigpt.text.datasets.documents import read_documents
from minigpt.text.reading import read_text
from minigpt.text.shards.shard import open_shard, open_shards, write_shard
from minigpt.training.report.history import History

TOKENIZER = mg.CharTokenizer.train("abcdefgh")
DATA = mg.TokenDataset.from_text("abcdefgh" * 8, TOKENIZER, 4)
SHAPE = mg.GPTConfig(vocab_size=8, context_length=4, d_model=8, n_layers=1, n_heads=1)

FUNCTIONS = {
    "load_model": mg.load_model,
    "load_pretrained": mg.load_pretrained,
    "pretrained_model": pretrained_model,
    "pretrained_config": pretrained_config,
    "save_pretrained": lambda path: mg.save_pretrained(mg.GPT(SHAPE), path),
    "load_tokenizer": mg.load_tokenizer,
    "tokenizer.save": TOKENIZER.save,
    "train": lambda path: mg.train(mg.GPT(SHAPE), DATA, mg.TrainConfig(steps=1, batch_size=1), out=path),
    "RunConfig.read": RunConfig.read,
    "RunSummary.of": RunSummary.of,
    "list_runs": list_runs,
    "History.read": History.read,
    "prepare, source": lambda path: mg.prepare(path, TOKENIZER, "out"),
    "prepare, out": lambda path: mg.prepare(__file__, mg.CharTokenizer.train(Path(__file__).read_text()), path),
    "open_prepared": mg.open_prepared,
    "TokenDataset.open": lambda path: mg.TokenDataset.open(path, 4),
    "open_shard": open_shard,
    "open_shards": open_shards,
    "write_shard": lambda path: write_shard(path, [0, 1], 2),
    "read_text": read_text,
    "read_documents": read_documents,
    "write_atomically": lambda path: write_atomically(path, b""),
}


@pytest.mark.parametrize("value", [3, 1.5, "", "a\0b", b"runs"], ids=repr)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_path_is_named(tmp_path, monkeypatch, name, value):
    monkeypatch.chdir(tmp_path)
    shown = re.escape(repr(98 if name == "prepare, source" and value == b"runs" else value)).replace("98", r"\d+")
    with pytest.raises(ValueError, match=rf"^(out|folder|path|source)={shown} is not a path; give a text such as"):
        FUNCTIONS[name](value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", ["runs/first", Path("runs/first")])
def test_a_text_and_a_path_are_paths(value):
    assert as_path(value, "out") == Path("runs/first")
