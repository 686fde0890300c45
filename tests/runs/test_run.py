import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch

import minigpt as mg
from minigpt.runs import RECIPES, RunConfig, build_tokenizer, open_splits
from minigpt.runs.read_files import write_read_files
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


def test_a_run_folder_names_its_files_by_whole_paths(config, text_file, tmp_path, monkeypatch):
    mg.CharTokenizer.train(TEXT).save(tmp_path / "tokenizer.json")
    monkeypatch.chdir(tmp_path)
    changes = {"text": Path("text.txt"), "tokenizer": "tokenizer.json"}
    run = mg.start_run(config.changed(**changes), progress=False)
    saved = RunConfig.read(config.out).source
    assert (saved.text, saved.tokenizer) == (text_file, str(tmp_path / "tokenizer.json"))
    assert run.config.source.text == text_file
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert len(mg.start_run(RunConfig.read(config.out), resume=True, progress=False).history) == 3


def test_a_run_that_names_a_file_by_a_relative_path_is_resumed_where_it_was_started(config, tmp_path, monkeypatch):
    mg.start_run(config, progress=False)
    saved = config.out / "run.json"
    saved.write_text(saved.read_text().replace(str(tmp_path / "text.txt"), "text.txt"))
    monkeypatch.chdir(tmp_path)
    assert len(mg.start_run(RunConfig.read(config.out), resume=True, progress=False).history) == 3


@pytest.fixture
def early(config):
    """A run that was killed before its first checkpoint."""
    with mg.prepare_run(config).open():
        (config.out / "run.json").write_text(mg.prepare_run(config).config.to_json())
    return config


def test_a_run_without_a_checkpoint_is_resumed_from_the_beginning_and_says_so(early):
    with pytest.warns(UserWarning, match=r"the run in .*run has no checkpoint yet: it starts from the beginning"):
        run = mg.start_run(early, resume=True, progress=False)
    assert len(run.history) == 3


def test_a_start_after_one_that_left_no_checkpoint_keeps_what_it_reads_itself(early, text_file):
    with mg.prepare_run(early).open() as folder:
        write_read_files(folder.path, early.source, *open_splits(early)[1:], resumes=False)
    text_file.write_text(TEXT[::-1])
    mg.start_run(early, progress=False)
    assert len(mg.start_run(early, resume=True, progress=False).history) == 3


def test_nothing_is_written_into_a_folder_that_took_the_place_of_the_opened_one(config):
    run = mg.prepare_run(config)
    with run.open() as folder:
        config.out.rename(config.out.with_name("moved"))
        (config.out / "checkpoints").mkdir(parents=True)
        with pytest.raises(OSError, match="is gone: it was moved or deleted"):
            run.train(folder, progress=False)
    assert [path.name for path in config.out.rglob("*")] == ["checkpoints"]


@pytest.mark.parametrize("resume", [True, "auto"])
def test_a_run_without_a_checkpoint_is_not_replaced_by_one_with_other_settings(early, resume):
    before = (early.out / "run.json").read_text()
    with pytest.raises(ValueError, match=r"learning_rate was 0.002, now 0.5; .*clip_norm was 1.0, now 3.0"):
        mg.start_run(early.changed(learning_rate=0.5, clip_norm=3.0), resume=resume, progress=False)
    assert (early.out / "run.json").read_text() == before
    assert len(mg.start_run(early.changed(eval_every=2), resume="auto", progress=False).history) == 3


def test_without_a_run_file_there_is_nothing_to_resume(config):
    with pytest.raises(ValueError, match="holds no run"):
        mg.start_run(config, resume=True, progress=False)


def test_what_would_be_refused_is_refused_when_the_folder_is_opened(config):
    mg.start_run(config, progress=False)
    with pytest.raises(ValueError, match="seed was 0, now 5"):
        mg.prepare_run(config.changed(seed=5)).open("auto")
    with mg.prepare_run(config).open("auto") as folder:
        assert folder.resumes
        with pytest.raises(ValueError, match="is in use: process"):
            mg.start_run(config, resume="auto", progress=False)


@pytest.mark.parametrize("table", [{"format": 1}, {"format": 99}, {"preset": "nano"}])
def test_the_model_of_another_format_is_refused_as_the_run_is(config, table):
    mg.start_run(config, progress=False)
    (config.out / "run.json").write_text(json.dumps(table))
    with pytest.raises(ValueError, match=r"run\.json can't be used: ") as told:
        RunConfig.read(config.out)
    with pytest.raises(ValueError, match=re.escape(str(told.value))):
        mg.load_model(config.out)


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


class Halved(mg.GPT):
    """Its weights are those of a GPT; its logits are not."""

    def forward(self, ids):
        return super().forward(ids) / 2


@pytest.mark.parametrize(("trained", "other"), [(Halved, mg.GPT), (mg.GPT, Halved)])
def test_weights_are_loaded_into_a_model_of_the_class_that_was_trained_alone(tmp_path, trained, other):
    tokenizer = mg.CharTokenizer.train(TEXT)
    shape = mg.GPTConfig.preset("nano", vocab_size=tokenizer.vocab_size, context_length=8, n_layers=1)
    data = mg.TokenDataset.from_text(TEXT, tokenizer, 8)
    plan = mg.TrainConfig(steps=1, batch_size=2, learning_rate=0.01, device="cpu")
    model = trained(shape)
    mg.train(model, data, plan, tokenizer=tokenizer, out=tmp_path, progress=False)
    names = {Halved: "the model: Halved", mg.GPT: "none"}
    with pytest.raises(ValueError, match=f"another model: .* were {names[trained]}, now {names[other]}. Use the model"):
        mg.load_model(tmp_path, other(shape))
    loaded, _ = mg.load_model(tmp_path, trained(shape))
    ids = data.batch(0, 2)[0]
    assert torch.equal(loaded(ids), model(ids))


SHAPE = {"context_length": 8, "d_model": 12, "n_layers": 1, "n_heads": 2, "position": "rope-half", "dropout": 0.1}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, and the configuration of its model."""
    folder, tokenizer = tmp_path_factory.mktemp("trained"), mg.CharTokenizer.train(TEXT)
    config = mg.GPTConfig(vocab_size=tokenizer.vocab_size, **SHAPE)
    plan = mg.TrainConfig(steps=1, batch_size=2, learning_rate=0.01, device="cpu")
    data = mg.TokenDataset.from_text(TEXT, tokenizer, 8)
    mg.train(mg.GPT(config), data, plan, tokenizer=tokenizer, out=folder, progress=False)
    return folder, config


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_heads": 3}, "n_heads was 2, now 3; n_kv_heads was 2, now 3; d_head was 6, now 4"),
        ({"rope_base": 5.0}, r"rope_base was 10000\.0, now 5\.0"),
        ({"norm_eps": 0.1, "window": 3}, r"norm_eps was 1e-05, now 0\.1; window was None, now 3"),
        ({"mlp": "relu"}, "mlp was 'gelu-tanh', now 'relu'"),
        ({"context_length": 16}, "context_length was 8, now 16; rope_original_context was 8, now 16"),
        ({"n_layers": 2}, "n_layers was 1, now 2"),
    ],
)
def test_a_model_of_another_configuration_is_refused_where_the_weights_fit_too(trained, changes, told):
    folder, config = trained
    with pytest.raises(
        ValueError, match=rf"^the checkpoint belongs to another model: {told}\. Give the model the conf"
    ):
        mg.load_model(folder, mg.GPT(dataclasses.replace(config, **changes)))


@pytest.mark.parametrize(
    "changes", [{}, {"attention": "formula"}, {"dropout": 0.0}, {"n_kv_heads": 2}, {"init_std": 1.0}]
)
def test_what_changes_no_logits_may_differ(trained, changes):
    folder, config = trained
    loaded, _ = mg.load_model(folder, mg.GPT(dataclasses.replace(config, **changes)))
    ids = torch.arange(8)[None]
    torch.testing.assert_close(loaded(ids), mg.load_model(folder)[0](ids))
