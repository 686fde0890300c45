"""A run into a folder of Hugging Face or a GGUF file, with its model card."""

import pytest
import torch

import minigpt as mg
from minigpt.cli import main
from minigpt.runs.models import export_run

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
    assert capsys.readouterr().out == f"wrote {path} in the format of GGUF\n"
    (own, words), (model, tokenizer) = mg.load_model(out), mg.load_pretrained(path)
    assert all(map(torch.equal, model.parameters(), own.bfloat16().float().parameters()))
    assert tokenizer.encode(TEXT) == words.encode(TEXT)
    card = gguf.GGUFReader(path).fields["general.description"].contents()
    assert "| trained on | `text.txt` |" in card and 'from_pretrained(".", gguf_file="mine.gguf")' in card


def test_characters_do_not_go_into_a_gguf_file_and_the_model_alone_does(tmp_path):
    pytest.importorskip("gguf")
    out, path = trained(tmp_path, tokenizer="char"), tmp_path / "mine.gguf"
    with pytest.raises(ValueError, match="a char tokenizer with 0 special tokens can't be written in a GGUF file"):
        export_run(out, path)
    assert not path.exists()
    main(["export", str(out), str(path), "--no-tokenizer"])
    assert path.is_file()
