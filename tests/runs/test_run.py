from pathlib import Path

import pytest
import torch

import minigpt as mg
from minigpt.runs import RECIPES, RunConfig, build_tokenizer
from minigpt.text.tinyworld import TASKS

TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def config(text_file, tmp_path):
    return RunConfig.of(text=text_file, steps=3, batch_size=2, context_length=8, device="cpu", out=tmp_path / "run")


@pytest.mark.parametrize("tokenizer", ["char", "bpe:270"])
def test_a_run_goes_from_a_file_to_a_model_that_writes(config, tokenizer):
    run = mg.start_run(config.changed(tokenizer=tokenizer), progress=False)
    model, loaded = mg.load_model(config.out)
    assert loaded.to_json() == run.tokenizer.to_json()
    for a, b in zip(model.parameters(), run.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert mg.generate(model, loaded, "the ", max_new_tokens=5).startswith("the ")
    assert mg.evaluate(model, run.validation, loaded).nats_per_token == pytest.approx(run.history.validation_loss)


def test_a_run_from_prepared_shards_reads_the_same_tokens(config, text_file, tmp_path):
    tokenizer = mg.CharTokenizer.train(TEXT)
    mg.prepare(text_file, tokenizer, tmp_path / "data", workers=1, progress=False)
    run = mg.start_run(config.changed(text=None, data=tmp_path / "data"), progress=False)
    assert run.data.n_tokens + run.validation.n_tokens == len(TEXT)


def test_paths_may_be_given_as_strings(tmp_path):
    config = RunConfig.of(text="my.txt", out=str(tmp_path))
    assert config == RunConfig.of(text=Path("my.txt"), out=tmp_path)


def test_resuming_a_run_with_a_changed_setting_is_refused_by_name(config):
    mg.start_run(config, progress=False)
    with pytest.raises(ValueError, match=r"learning_rate was 0.002, now 0.5; final_learning_rate was 0.0002, now 0.05"):
        mg.start_run(config.changed(learning_rate=0.5), resume=True, progress=False)


def test_a_folder_without_a_run_says_how_to_start_one(tmp_path):
    with pytest.raises(ValueError, match=r"holds no run.*start one with `minigpt train --out"):
        RunConfig.read(tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_set_wins_over_the_recipe_and_the_preset(name):
    config = RunConfig.of(recipe=name, learning_rate=0.125, context_length=48, dropout=0.25)
    assert config.training.learning_rate == 0.125
    parts = {**RECIPES[name].model, "dropout": 0.25, "context_length": 48}
    assert all(getattr(config.model, part) == choice for part, choice in parts.items())


def test_the_storyteller_is_smaller_than_the_models_of_the_other_tasks_and_reads_more_at_once():
    story, *others = (RunConfig.of(task=task, vocab_size=1024) for task in ("story", "translate", "qa", "dialogue"))
    assert mg.GPT(story.model).n_parameters < min(mg.GPT(config.model).n_parameters for config in others)
    assert story.training.batch_size > max(config.training.batch_size for config in others)


def test_the_tasks_that_look_for_the_last_of_several_places_have_scores_that_fall_with_the_distance():
    positions = {task: RunConfig.of(task=task).model.position for task in TASKS}
    assert positions == {"story": "alibi", "translate": "rope-half", "qa": "alibi", "dialogue": "alibi"}


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match=r"recipe='best' is unknown; choose one of gpt2, fast"):
        RunConfig.of(recipe="best")
    with pytest.raises(
        ValueError, match=r"is not char, bpe:1024 or a saved tokenizer's file, and tiktoken has no .*gpt2"
    ):
        build_tokenizer("gpt9", TEXT)
    with pytest.raises(ValueError, match="after 'bpe:' comes the number of tokens"):
        build_tokenizer("bpe:many", TEXT)


def test_a_saved_tokenizer_is_read_from_its_file(tmp_path):
    tokenizer = mg.CharTokenizer.train(TEXT)
    tokenizer.save(tmp_path / "tokenizer.json")
    assert build_tokenizer(str(tmp_path / "tokenizer.json"), "").to_json() == tokenizer.to_json()
