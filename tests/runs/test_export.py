"""A run into a folder of Hugging Face or a GGUF file, with its model card."""

import errno
import json
import math
import os
import sys
import tempfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

import minigpt as mg
from minigpt.cli import main
from minigpt.files.verified import entry_of
from minigpt.runs.models import export_model
from minigpt.training.storage.checkpoint import MANIFEST

TEXT = "the cat sees the dog and the dog sees the cat. " * 60
SHAPE = {"context_length": 16, "d_model": 8, "n_layers": 1, "n_heads": 2}
LLAMA = {"position": "rope-half", "norm": "rms", "mlp": "swiglu", "bias": False}


def trained(tmp_path, tokenizer="bpe:262", **parts):
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    config = mg.RunConfig.of(
        out=tmp_path / "run",
        text=tmp_path / "text.txt",
        tokenizer=tokenizer,
        steps=3,
        batch_size=2,
        device="cpu",
        **SHAPE,
        **parts,
    )
    mg.start_run(config, progress=False)
    return tmp_path / "run"


def test_a_run_goes_out_with_its_tokenizer_and_a_card_of_its_figures(tmp_path, capsys):
    out = trained(tmp_path, **LLAMA)
    main(["export", str(out), str(tmp_path / "folder")])
    assert capsys.readouterr().out == f"wrote {tmp_path / 'folder'} in the format of Llama\n"
    model, tokenizer = mg.load_pretrained(tmp_path / "folder")
    own, words = mg.load_model(out)
    assert all(a.equal(b) for a, b in zip(model.parameters(), own.parameters(), strict=True))
    assert tokenizer.encode(TEXT) == words.encode(TEXT)
    card = (tmp_path / "folder" / "README.md").read_text(encoding="utf-8")
    assert "| trained on | `text.txt` |" in card and str(tmp_path) not in card
    assert card.startswith("---\nlibrary_name: transformers\n") and "# run\n" in card
    assert f"| parameters | {own.n_parameters:,} |" in card and "| steps | 3 of 3 steps, 2 sequences each |" in card


def test_the_tokenizer_stays_behind_where_that_is_asked_for(tmp_path):
    out = trained(tmp_path, tokenizer="char")
    main(["export", str(out), str(tmp_path / "folder"), "--no-tokenizer"])
    assert not (tmp_path / "folder" / "tokenizer.json").exists()


def test_a_run_becomes_a_gguf_file_whose_description_is_the_card(tmp_path, capsys):
    gguf = pytest.importorskip("gguf")
    out, path = trained(tmp_path, **LLAMA), tmp_path / "mine.gguf"
    main(["export", str(out), str(path), "--dtype", "bfloat16"])
    assert capsys.readouterr().out == f"wrote {path} in the format of GGUF, architecture llama\n"
    (own, words), (model, tokenizer) = mg.load_model(out), mg.load_pretrained(path)
    assert all(map(torch.equal, model.parameters(), own.bfloat16().float().parameters()))
    assert tokenizer.encode(TEXT) == words.encode(TEXT)
    card = gguf.GGUFReader(path).fields["general.description"].contents()
    assert "| trained on | `text.txt` |" in card and 'from_pretrained(".", gguf_file="mine.gguf")' in card


def test_characters_do_not_go_into_a_gguf_file_and_the_model_alone_does(tmp_path):
    pytest.importorskip("gguf")
    out, path = trained(tmp_path, tokenizer="char"), tmp_path / "mine.gguf"
    with pytest.raises(ValueError, match="a char tokenizer with 0 special tokens can't be written in a GGUF file"):
        export_model(out, path)
    assert not path.exists()
    main(["export", str(out), str(path), "--no-tokenizer"])
    assert path.is_file()


def test_a_model_that_others_trained_goes_out_without_a_card(tmp_path, capsys):
    main(["export", str(trained(tmp_path, **LLAMA)), str(tmp_path / "theirs")])
    main(["export", str(tmp_path / "theirs"), str(tmp_path / "again")])
    assert capsys.readouterr().out.endswith(f"wrote {tmp_path / 'again'} in the format of Llama\n")
    (one, words), (other, same) = mg.load_pretrained(tmp_path / "theirs"), mg.load_pretrained(tmp_path / "again")
    assert all(map(torch.equal, one.parameters(), other.parameters())) and same.encode(TEXT) == words.encode(TEXT)
    assert not (tmp_path / "again" / "README.md").exists()


def test_a_gguf_file_becomes_a_folder(tmp_path):
    pytest.importorskip("gguf")
    out = trained(tmp_path, **LLAMA)
    main(["export", str(out), str(tmp_path / "one.gguf")])
    main(["export", str(tmp_path / "one.gguf"), str(tmp_path / "folder")])
    (own, words), (model, tokenizer) = mg.load_model(out), mg.load_pretrained(tmp_path / "folder")
    assert all(map(torch.equal, model.parameters(), own.parameters()))
    assert tokenizer.encode(TEXT) == words.encode(TEXT)


def change_a_weight(out, number):
    """Put a number into the newest checkpoint, as an arithmetic that went wrong would."""
    folder = sorted((out / "checkpoints").iterdir())[-1]
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    weights["blocks.0.mlp.expand.weight"][0, 0] = number
    data = safetensors.torch.save(weights)
    (folder / "model.safetensors").write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["model.safetensors"] = entry_of(data)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["folder", "one.gguf"])
def test_a_weight_beyond_float16_is_named_and_nothing_is_written(tmp_path, capsys, name):
    pytest.importorskip("gguf")
    out = trained(tmp_path, **LLAMA)
    change_a_weight(out, 70000.0)
    with pytest.raises(SystemExit):
        main(["export", str(out), str(tmp_path / name), "--dtype", "float16"])
    assert "blocks.0.mlp.expand.weight holds 70000, beyond the largest number of float16" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
    main(["export", str(out), str(tmp_path / name), "--dtype", "bfloat16"])


def test_a_checkpoint_keeps_a_weight_that_no_export_takes(tmp_path):
    out = trained(tmp_path, **LLAMA)
    change_a_weight(out, math.inf)
    assert not all(bool(weight.isfinite().all()) for weight in mg.load_model(out)[0].parameters())
    with pytest.raises(ValueError, match=r"blocks\.0\.mlp\.expand\.weight holds infinity"):
        export_model(out, tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
@pytest.mark.parametrize("name", [b"f\xff", b"f\xff.gguf"])
def test_names_that_are_no_text_are_written_into_the_card_with_a_mark(tmp_path, name):
    pytest.importorskip("gguf")
    target = tmp_path / os.fsdecode(name)
    export_model(trained(tmp_path, **LLAMA).rename(tmp_path / os.fsdecode(b"r\xff")), target)
    assert target.exists()


@pytest.mark.parametrize("name", ["folder", "one.gguf"])
def test_a_card_that_is_no_text_is_refused(tmp_path, name):
    model = mg.GPT(mg.GPTConfig(vocab_size=9, **SHAPE))
    for card, says in [("x\udcff", r"card has '\\udcff' at place 1"), (5, "card is a int; give a text")]:
        with pytest.raises(ValueError, match=says):
            mg.save_pretrained(model, tmp_path / name, card=card)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["folder", "one.gguf"])
def test_a_file_above_the_place_is_named(tmp_path, name):
    pytest.importorskip("gguf")
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ValueError, match="file is a file, expected a folder"):
        mg.save_pretrained(mg.GPT(mg.GPTConfig(vocab_size=9, **SHAPE)), tmp_path / "file" / name)
    assert (tmp_path / "file").read_bytes() == b"mine"


@pytest.mark.parametrize(("name", "call"), [("folder", (Path, "mkdir")), ("one.gguf", (tempfile, "mkstemp"))])
def test_a_place_without_the_right_to_write_is_named(tmp_path, monkeypatch, name, call):
    pytest.importorskip("gguf")

    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "some partial name")

    with monkeypatch.context() as patch:
        patch.setattr(*call, refuse)
        with pytest.raises(PermissionError, match=f"{name} was not written: Permission denied$"):
            mg.save_pretrained(mg.GPT(mg.GPTConfig(vocab_size=9, **SHAPE)), tmp_path / name)


@pytest.mark.parametrize("name", ["folder", "one.gguf"])
def test_what_can_not_be_saved_is_named(tmp_path, name):
    model = mg.GPT(mg.GPTConfig(vocab_size=9, **SHAPE))
    with pytest.raises(ValueError, match="save the model that it was made from"):
        mg.save_pretrained(mg.for_generation(model), tmp_path / name)
    with pytest.raises(ValueError, match="model is a NoneType; pass the GPT"):
        mg.save_pretrained(None, tmp_path / name)


@pytest.mark.parametrize("name", ["folder", "mine.gguf"])
def test_a_model_that_has_no_tokenizer_is_exported_without_one(tmp_path, name):
    if name.endswith(".gguf"):
        pytest.importorskip("gguf")
    model = mg.GPT(mg.GPTConfig(vocab_size=262, **SHAPE, **LLAMA))
    mg.save_pretrained(model, tmp_path / name)
    with pytest.raises(ValueError, match="tokenizer"):
        export_model(tmp_path / name, tmp_path / "copy")
    main(["export", str(tmp_path / name), str(tmp_path / "copy"), "--no-tokenizer"])
    copy = mg.pretrained.pretrained_model(tmp_path / "copy")
    assert all(map(torch.equal, copy.parameters(), model.parameters()))
