"""minigpt/cli/settings.py: the two stages, seen from what reaches a command and from what --help shows."""

import dataclasses
import json
from pathlib import Path
from typing import get_args

import pytest

import minigpt as mg
from minigpt.cli import COMMANDS, main
from minigpt.cli.compare import Compare
from minigpt.cli.settings import said_in
from minigpt.cli.train import Train
from minigpt.model import ATTENTION, INITIALISATIONS, POSITIONS
from minigpt.model.config import MLPS, PLACEMENTS
from minigpt.model.norms import NORMS
from minigpt.runs import RunConfig
from minigpt.settings import kinds, rule_of
from minigpt.training import OPTIMIZERS, SCHEDULES, TrainConfig
from minigpt.training.losses import LOSSES
from minigpt.training.precision import PRECISION_NAMES
from minigpt.training.processes.strategies import STRATEGIES

# Settings of a command that share the name of a field of a run and mean something of their own.
OF_THEIR_OWN = {
    ("sample", "seed"): "of the draws",
    ("demo", "seed"): "of a run whose other settings are fixed",
    ("demo", "steps"): "of a run whose other settings are fixed",
    ("tokenizer", "vocab_size"): "of the tokenizer that is trained",
    ("bench", "device"): "of a measurement",
}


@pytest.fixture
def parsed(monkeypatch):
    """What reaches the command that the words ask for."""

    def parse(*words):
        seen = []
        for command in (Train, Compare):
            monkeypatch.setattr(command, "__call__", lambda self: seen.append(self))
        main(list(words))
        return seen[0]

    return parse


@pytest.fixture
def help_of(monkeypatch, capsys):
    """What ``--help`` prints, on one line, whatever draws its frames."""
    monkeypatch.setenv("COLUMNS", "300")

    def show(*words):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        return " ".join(capsys.readouterr().out.replace("│", " ").split())

    return show


@pytest.mark.parametrize(
    "words",
    [
        "--n-layers 6 --d-model 256 --n-heads 8 --position rope-half --steps 500 --recipe fast",
        "--recipe=fast --steps=500 --position=rope-half --n_layers 6 --d_model=256 --n-heads 8",
        "--steps 500 --preset nano --n-heads 8 --recipe fast --position rope-half --d-model 256 --n-layers 6",
    ],
)
def test_every_setting_can_be_typed_without_its_part_in_any_order(parsed, words):
    expected = RunConfig.of(recipe="fast", n_layers=6, d_model=256, n_heads=8, position="rope-half", steps=500)
    assert parsed("train", *words.split()).run == expected


def option_of(name, value):
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", "none" if value is None else str(value)]


@pytest.mark.parametrize("part", ["source", "model", "training"])
def test_each_field_of_each_part_is_an_option_with_its_own_value_as_the_default(parsed, part):
    plan = RunConfig.of(
        preset="llama-tiny", recipe="fast", window=9, ema=0.5, momentum=0.5, optimizer="muon"
    ).resolved()
    words = []
    for each in ("source", "model", "training"):
        for name in kinds(type(getattr(plan, each))):
            if name != "vocab_size":
                words += option_of(name.replace("_", "-"), getattr(getattr(plan, each), name))
    found = getattr(parsed("train", *words).run, part)
    assert found == (
        dataclasses.replace(plan.model, vocab_size=found.vocab_size) if part == "model" else getattr(plan, part)
    )


def test_what_is_typed_wins_over_the_file_which_wins_over_the_recipe(parsed, tmp_path):
    (tmp_path / "my.toml").write_text('recipe = "fast"\n[model]\nn_layers = 3\n[training]\nsteps = 9\nbatch_size = 5\n')
    run = parsed("train", "--config", str(tmp_path / "my.toml"), "--steps", "11").run
    assert (run.model.norm, run.model.n_layers, run.training.steps, run.training.batch_size) == ("rms", 3, 11, 5)


def test_the_file_of_a_run_starts_the_same_run_elsewhere(parsed, tmp_path):
    plan = RunConfig.of(recipe="as-written", n_layers=1, text="a.txt", steps=3).resolved(vocab_size=50)
    (tmp_path / "run.json").write_text(plan.to_json())
    run = parsed("train", "--config", str(tmp_path / "run.json"), "--out", "elsewhere").run
    assert run == dataclasses.replace(plan, out=Path("elsewhere"))


def test_a_task_brings_its_recipe_and_typed_steps_take_the_place_of_epochs(parsed):
    assert parsed("train", "--task", "qa").run == RunConfig.of(task="qa")
    assert parsed("train", "--recipe", "as-written", "--steps", "5").run.source.epochs is None
    assert parsed("train", "--recipe", "as-written").run.source.epochs == 10


def test_typed_steps_win_over_the_epochs_of_a_file(parsed, tmp_path):
    (tmp_path / "run.json").write_text(RunConfig.of(recipe="as-written").to_json())
    run = parsed("train", "--config", str(tmp_path / "run.json"), "--steps", "2").run
    assert (run.training.steps, run.source.epochs) == (2, None)


@pytest.mark.parametrize("words", [["--config", "x.json"], ["--recipe", "fast"], ["--preset=gpt2"]])
def test_a_resumed_run_takes_no_other_start(words, capsys):
    with pytest.raises(SystemExit):
        main(["train", "--resume", *words])
    assert "--resume takes the settings of the run" in capsys.readouterr().err


def test_a_switch_that_is_given_twice_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "optimizer=adamw", "optimizer=lion"])
    assert "optimizer is given twice" in capsys.readouterr().err


def test_a_value_is_given_back_to_its_rule_by_the_word_none(parsed):
    assert parsed("train", "--task", "qa", "--learning-rate", "none").run.training.learning_rate is None
    assert parsed("train", "--task", "qa").run.training.learning_rate == 0.01


def test_a_comparison_takes_any_setting_and_has_defaults_of_its_own(parsed):
    command = parsed("compare", "optimizer=adamw,muon", "--n-layers", "2", "--corpus", "tiny-world")
    assert command.switches == ("optimizer=adamw,muon",)
    assert command.run == RunConfig.of(n_layers=2, corpus="tiny-world", steps=300, out="runs/compare")


def test_no_field_of_the_model_or_the_training_is_declared_a_second_time():
    declared = {*kinds(mg.GPTConfig), *kinds(TrainConfig)}
    found = {
        (command, field.name)
        for command, kind in COMMANDS.items()
        for field in dataclasses.fields(kind)
        if field.name in declared
    }
    assert found == set(OF_THEIR_OWN)
    assert not declared & {field.name for field in dataclasses.fields(RunConfig)}


@pytest.mark.parametrize(
    ("part", "field", "table"),
    [
        (mg.GPTConfig, "position", POSITIONS),
        (mg.GPTConfig, "norm", NORMS),
        (mg.GPTConfig, "norm_placement", PLACEMENTS),
        (mg.GPTConfig, "mlp", MLPS),
        (mg.GPTConfig, "initialisation", INITIALISATIONS),
        (mg.GPTConfig, "attention", ATTENTION),
        (TrainConfig, "optimizer", OPTIMIZERS),
        (TrainConfig, "schedule", SCHEDULES),
        (TrainConfig, "strategy", STRATEGIES),
        (TrainConfig, "precision", PRECISION_NAMES),
        (TrainConfig, "loss", LOSSES),
    ],
)
def test_the_choices_of_a_field_are_the_names_of_its_table(part, field, table):
    kind = kinds(part)[field]
    literal = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    assert set(get_args(literal)) == set(table)


def test_help_groups_by_part_and_shows_the_values_that_are_used(help_of):
    shown = help_of("train")
    for group in ("start", "source", "model", "training"):
        assert f" {group} options " in shown
    assert "--vocab-size" not in shown and "unset" not in shown
    assert "(default: 2000)" in shown and "learning_rate / 10 = 0.0002)" in shown


def test_help_shows_what_a_rule_gives_with_what_is_typed_beside_it(help_of):
    assert "relative_rate = 0.0005)" in help_of("train", "--d-model", "512")
    assert "relative_rate = 0.016)" in help_of("train", "--optimizer", "muon")
    assert "(default: 3700)" in help_of("train", "--task", "story")


def test_every_rule_is_shown(help_of):
    shown = help_of("train", "--schedule", "wsd")
    for part in (mg.GPTConfig, TrainConfig):
        for name in kinds(part):
            if (rule := rule_of(part, name)) is not None:
                assert f"(default: {rule.formula} = " in shown, name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--n-layer", "3"], "--n-layers"),
        (["train", "--recipe"], "recipe"),
        (["train", "--optimizer", "adm"], "adamw"),
        (["train", "--steps", "few"], "few"),
        (["train", "--steps", "1.5"], "1.5"),
    ],
)
def test_a_mistyped_setting_exits_with_2_and_names_what_is_known(words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_first_stage_reads_values_in_both_forms_and_judges_nothing():
    words = ["train", "--recipe", "fast", "--steps=3", "--config", "--out", "x", "--recipes", "y", "--preset", ""]
    expected = {"recipe": "fast", "steps": "3", "preset": ""}
    assert said_in(words, ("recipe", "steps", "config", "preset")) == expected
    assert said_in(["--recipe"], ("recipe",)) == {}


def test_version_and_no_words_at_all(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"minigpt {mg.__version__}\n"
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 0 and "train" in capsys.readouterr().out


def test_a_small_model_of_any_shape_trains_and_is_resumed_from_its_own_file(tmp_path, capsys):
    (tmp_path / "my.txt").write_text("the cat sat on the mat. " * 40)
    shape = ["--n-layers", "2", "--d-model", "64", "--n-heads", "2", "--norm", "rms", "--window", "16"]
    place = ["--text", str(tmp_path / "my.txt"), "--out", str(tmp_path / "run"), "--device", "cpu"]
    main(["train", *shape, *place, "--steps", "4", "--checkpoint-every", "2"])
    whole, _ = mg.load_model(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-00000004").rename(tmp_path / "aside")
    main(["train", "--resume", "--out", str(tmp_path / "run")])
    resumed, _ = mg.load_model(tmp_path / "run")
    assert all(a.equal(b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))
    assert resumed.config.window == 16
    capsys.readouterr()
    main(["info", str(tmp_path / "run"), "--json"])
    assert json.loads(capsys.readouterr().out)["model"]["window"] == 16
    main(["runs", str(tmp_path), "--json"])
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed["steps_done"] == 4 and listed["out"] == str(tmp_path / "run")
