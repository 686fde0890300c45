"""minigpt/cli/settings.py: the two stages, seen from what reaches a command and from what --help shows."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Annotated, get_args, get_origin

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
from minigpt.training.execution.precision import PRECISION_NAMES
from minigpt.training.losses import LOSSES
from minigpt.training.processes.hardware import Hardware
from minigpt.training.processes.strategies import STRATEGIES

# Settings of a command that share the name of a field of a run and mean something of their own.
OF_THEIR_OWN = {
    ("sample", "seed"): "of the draws",
    ("chat", "seed"): "of the draws",
    ("check", "seed"): "of the calls that decide",
    ("demo", "seed"): "of a run whose other settings are fixed",
    ("demo", "steps"): "of a run whose other settings are fixed",
    ("tokenizer", "vocab_size"): "of the tokenizer that is trained",
    ("bench", "device"): "of a measurement",
    ("bench", "compile"): "of a measurement",
    ("estimate", "batch_size"): "of a step whose other settings are fixed",
    ("estimate", "vocab_size"): "of a preset whose other settings are fixed",
    ("estimate", "context_length"): "of a preset whose other settings are fixed",
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
    monkeypatch.setenv("COLUMNS", "100")

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


def option_of(name, value, kind):
    if (get_args(kind)[0] if get_origin(kind) is Annotated else kind) is bool:
        return [f"--{name}" if value else f"--no-{name}"]
    return [f"--{name}", "none" if value is None else str(value)]


@pytest.mark.parametrize("part", ["source", "model", "training"])
def test_each_field_of_each_part_is_an_option_with_its_own_value_as_the_default(parsed, part):
    plan = RunConfig.of(
        preset="llama-tiny", recipe="fast", window=9, ema=0.5, momentum=0.5, optimizer="muon"
    ).resolved()
    words = []
    for each in ("source", "model", "training"):
        for name, kind in kinds(type(getattr(plan, each))).items():
            if name != "vocab_size":
                words += option_of(name.replace("_", "-"), getattr(getattr(plan, each), name), kind)
    found = getattr(parsed("train", *words).run, part)
    assert found == (
        dataclasses.replace(plan.model, vocab_size=found.vocab_size) if part == "model" else getattr(plan, part)
    )


def refused(capsys, *words):
    """The message on stderr; nothing else happens."""
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--batch-size 1000000000000", "batch_size=1000000000000 must be a whole number from 1 to 1,048,576"),
        ("--n-layers 1000000000000", "n_layers=1000000000000 must be a whole number from 1 to 4,096"),
        ("--recipe as-written --epochs 1000000000000000000000", "epochs=1000000000000000000000 must be a whole number"),
        ("--d-model 1000000000000", "d_model=1000000000000 must be a whole number from 1 to 1,048,576"),
        ("--d-model 1048576 --n-layers 96", "TB in float32; the limit is 1e+13, 40 TB"),
        ("--seed 1000000000000000000000", "seed=1000000000000000000000 must be a whole number from 0 to"),
        ("--rope-base 0", "rope_base=0.0 must be a finite number greater than 0"),
        ("--norm-eps nan", "norm_eps=nan must be a finite number of at least 0"),
        ("--learning-rate 1e400", "learning_rate=inf must be a finite number of at least 0"),
        ("--schedule wsd --warmup-steps 10 --steps 5", "warmup_steps=10 is more than steps=5"),
        ("--tokenizer char:9", "tokenizer='char:9': a char tokenizer has as many tokens as the text has characters"),
        ("--documents --epochs 2 --steps 5", "--steps 5 and --epochs 2 both say how long to train; give one of them"),
        ("--optimizer adm", "optimizer='adm' is unknown; choose one of sgd, momentum, adam, adamw"),
        ("--optimizer=adm", "did you mean adam?"),
        ("--position alibbi", "did you mean alibi?"),
        ("--preset nanno", "did you mean nano?"),
        ("--recipe fats", "did you mean fast?"),
        ("--task dialog", "did you mean dialogue?"),
        ("--corpus tinyworld", "did you mean tiny-world?"),
        ("--preset=", "preset='' is unknown"),
        ("--text=", "an empty text '' names no file and no folder"),
        ("--out=", "an empty text '' names no file and no folder"),
        ("--data=", "an empty text '' names no file and no folder"),
    ],
)
def test_what_can_not_be_meant_is_one_line_at_once(words, message, capsys, monkeypatch):
    monkeypatch.setattr(Train, "__call__", pytest.fail)
    error = refused(capsys, "train", *words.split())
    assert error.startswith("minigpt: ") and error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"source": []}', r"source must be a table of settings, got []"),
        ("a.json", '{"recipe": [1]}', r"recipe must be a text or None, got [1]"),
        ("a.json", '{"recipe": "fats"}', r"recipe='fats' is unknown; choose one of"),
        ("a.json", '{"source": {"task": {}}}', r"task must be a text or None, got {}"),
        ("a.json", '{"source": {"from_pretrained": 3}}', "from_pretrained must be a text or None, got 3"),
        ("a.json", '{"training": 5}', "training must be a table of settings, got 5"),
        ("a.json", '{"training": {"seed": 1e400}}', "training.seed must be int, got inf"),
        ("a.toml", "steps = 5", "steps belongs under training: [training] in TOML"),
        ("a.toml", "[model]\nn_layers = 1000000000000", "model.n_layers=1000000000000 must be a whole number"),
        ("a.toml", "[training]\nseed = 2020-01-01", "training.seed must be int, got datetime.date(2020, 1, 1)"),
    ],
)
def test_a_file_that_can_not_be_meant_is_one_line_that_names_it(name, text, message, capsys, tmp_path):
    (tmp_path / name).write_text(text)
    error = refused(capsys, "train", "--config", str(tmp_path / name))
    assert error.startswith(f"minigpt: {tmp_path / name} can't be used: ") and message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["info", "{}"], ["train", "--resume", "--out", "{}"]])
@pytest.mark.parametrize("forged", [{"model": {"n_layers": 10**12}}, {"model": []}, {"training": {"steps": "abc"}}])
def test_a_forged_run_is_one_line_that_names_its_file(words, forged, capsys, tmp_path):
    whole = json.loads(RunConfig().to_json())
    (tmp_path / "run.json").write_text(json.dumps({**whole, **forged}))
    error = refused(capsys, *(word.format(tmp_path) for word in words))
    assert error.startswith(f"minigpt: {tmp_path / 'run.json'} can't be used: ") and error.count("\n") == 1


def test_the_listing_names_a_forged_run_and_shows_the_others(capsys, tmp_path):
    deep = RunConfig.of(n_layers=4096, d_model=4096)
    for name, text in (("good", deep.to_json()), ("bad", deep.to_json().replace("4096", "1" + "0" * 30))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    main(["runs", str(tmp_path)])
    shown = capsys.readouterr()
    assert "good" in shown.out and "4096 ×" in shown.out and shown.err == ""
    assert shown.out.replace("\\", "/").count("bad/run.json can't be used") == 1


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


def test_steps_and_epochs_in_a_file_are_refused_and_either_takes_the_place_of_the_recipe_s(parsed, capsys, tmp_path):
    file = tmp_path / "my.json"
    file.write_text('{"training": {"steps": 3}, "source": {"epochs": 2, "documents": true}}')
    with pytest.raises(SystemExit):
        main(["train", "--config", str(file)])
    assert "my.json can't be used: steps=3 and epochs=2 both say how long to train" in capsys.readouterr().err
    file.write_text('{"recipe": "as-written", "training": {"steps": 3}}')
    run = parsed("train", "--config", str(file)).run
    assert (run.training.steps, run.source.epochs) == (3, None)
    file.write_text('{"recipe": "as-written", "source": {"epochs": 2}}')
    assert parsed("train", "--config", str(file)).run.source.epochs == 2
    assert parsed("train", "--config", str(file), "--epochs", "4").run.source.epochs == 4


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


@pytest.mark.parametrize("command", ["train", "train --recipe fast", "compare", "speedrun", "ladder", "estimate"])
def test_no_setting_is_shown_with_two_defaults(help_of, command):
    options = re.split(r" --(?=[a-z])", help_of(*command.split()))
    assert max(option.count("(default: ") for option in options) == 1


def test_a_setting_that_is_none_is_shown_with_what_that_means(help_of):
    shown = help_of("train")
    assert "(default: 0.9 and 0.95)" in shown and "(default: no convolution)" in shown


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


HARDWARE = Hardware(cpu="A Fine CPU", cores=2, threads=2, memory=2**34, bf16=True)
SIZED = {"n_layers": 4, "d_model": 192, "n_heads": 3, "context_length": 256, "batch_size": 12}


@pytest.fixture
def seen(monkeypatch):
    """The command line sees a machine of two cores; with a GPU, unless the CPU is asked for."""
    asked = []

    def look(device="auto"):
        asked.append(device)
        with_gpu = dataclasses.replace(HARDWARE, gpu="A Fine GPU", gpu_memory=80 * 2**30)
        return HARDWARE if device == "cpu" else with_gpu

    monkeypatch.setattr("minigpt.cli.train.seen_hardware", look)
    return asked


def test_fast_without_sizes_has_those_of_the_machine_and_what_is_set_wins(parsed, seen):
    words = ["train", "--recipe", "fast", "--device", "cpu"]
    assert parsed(*words).run == RunConfig.of(recipe="fast", device="cpu", **SIZED)
    assert parsed(*words, "--batch-size", "5").run == RunConfig.of(
        recipe="fast", device="cpu", **SIZED | {"batch_size": 5}
    )
    assert seen == ["cpu"] * 2


def test_fast_on_a_gpu_is_as_large_as_the_text_allows(parsed, seen, tmp_path):
    assert parsed("train", "--recipe=fast").run.model.d_model == 192  # the manual of Python is short
    text = tmp_path / "text.txt"
    text.write_bytes(b"x" * 6_000_000)
    assert parsed("train", "--recipe=fast", "--text", str(text)).run.model.d_model == 768
    assert parsed("train", "--recipe=fast", "--task", "story").run.model.d_model == 768
    assert parsed("train", "--recipe=fast", "--data", str(tmp_path)).run.model.context_length == 1024


@pytest.mark.parametrize(
    "named", ["--d-model 256", "--preset nano", "--context-length 64", "--n-layers 3", "--n-heads 2"]
)
def test_a_size_that_is_named_leaves_the_others_to_the_preset(parsed, seen, named):
    name, value = named.split()
    name = name.removeprefix("--").replace("-", "_")
    expected = RunConfig.of(recipe="fast", **{name: value if name == "preset" else int(value)})
    assert parsed("train", "--recipe", "fast", *named.split()).run == expected and not seen


def test_other_recipes_and_commands_keep_their_sizes(parsed, seen, tmp_path):
    assert parsed("train").run == RunConfig.of() and parsed("train", "--recipe", "gpt2").run == RunConfig.of()
    (tmp_path / "my.toml").write_text('recipe = "fast"\n')
    assert parsed("train", "--config", str(tmp_path / "my.toml")).run == RunConfig.of(recipe="fast")
    assert parsed("compare", "seed=0,1", "--recipe", "fast").run.model.d_model == 128
    assert not seen


def test_a_run_that_may_go_on_elsewhere_keeps_the_sizes_that_it_has(parsed, seen, tmp_path):
    words = ["train", "--recipe", "fast", "--auto-resume", "--out", str(tmp_path)]
    assert parsed(*words).run.model.d_model == 192
    started = RunConfig.of(recipe="fast", n_layers=1, d_model=64, n_heads=2, batch_size=3, out=tmp_path)
    (tmp_path / "run.json").write_text(started.to_json())
    assert parsed(*words).run == started


def test_help_has_the_sizes_of_the_machine(help_of, seen):
    assert "(default: 192)" in help_of("train", "--recipe", "fast", "--device", "cpu")


@pytest.mark.parametrize(
    ("words", "is_told"), [("", True), ("--batch-size 3", True), ("--d-model 64", False), ("--n-layers 6", False)]
)
def test_why_the_sizes_are_these_is_said_where_they_are(parsed, seen, words, is_told):
    made = parsed("train", "--recipe", "fast", "--device", "cpu", "--corpus", "tiny-world", *words.split())
    expected = "sizes: 4 × 192, context 256: a step of the next larger would take about 0.32 s on 2 cores with bfloat16"
    assert made._why_its_sizes().startswith(expected) if is_told else made._why_its_sizes() == ""
