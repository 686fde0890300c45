"""The upload of a folder, with a stand-in for the hub."""

import builtins

import pytest
import torch

import minigpt as mg


class Hub:
    def __init__(self):
        self.calls = []

    def create_repo(self, name, **options):
        self.calls.append(("create_repo", name, options))
        return f"https://hub/{name}"

    def upload_folder(self, **options):
        self.calls.append(("upload_folder", options.pop("repo_id"), options))


@pytest.fixture
def folder(tmp_path):
    shape = mg.GPTConfig(vocab_size=5, context_length=4, d_model=4, n_layers=1, n_heads=1)
    mg.save_pretrained(mg.GPT(shape, generator=torch.Generator().manual_seed(0)), tmp_path / "out")
    return tmp_path / "out"


def test_a_folder_goes_to_a_private_repository_of_the_name(folder):
    hub = Hub()
    assert mg.push_to_hub(folder, "me/tiny", api=hub) == "https://hub/me/tiny"
    (created, name, options), (uploaded, to, given) = hub.calls
    assert (created, name, options["private"], options["exist_ok"]) == ("create_repo", "me/tiny", True, True)
    assert (uploaded, to, given["folder_path"]) == ("upload_folder", "me/tiny", str(folder))


def test_the_calls_fit_the_real_library(folder):
    import inspect

    from huggingface_hub import HfApi

    hub = Hub()
    mg.push_to_hub(folder, "me/tiny", api=hub, private=False, message="First")
    for name, repository, options in hub.calls:
        inspect.signature(getattr(HfApi, name)).bind(None, repo_id=repository, **options)
    assert hub.calls[0][2]["private"] is False and hub.calls[1][2]["commit_message"] == "First"


@pytest.mark.parametrize("name", ["tiny", "a/b/c", "/b", "a/", ""])
def test_another_name_is_refused_before_anything_is_sent(folder, name):
    hub = Hub()
    with pytest.raises(ValueError, match="must be 'owner/name'"):
        mg.push_to_hub(folder, name, api=hub)
    assert hub.calls == []


def test_a_folder_without_a_model_is_refused_before_anything_is_sent(tmp_path):
    hub = Hub()
    with pytest.raises(ValueError, match=r"config\.json"):
        mg.push_to_hub(tmp_path, "me/tiny", api=hub)
    assert hub.calls == []


def test_without_huggingface_hub_it_says_what_to_install(folder, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **options):
        if name == "huggingface_hub":
            raise ImportError("No module named 'huggingface_hub'")
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match="pip install huggingface_hub"):
        mg.push_to_hub(folder, "me/tiny")
