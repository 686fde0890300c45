"""minigpt estimate: a table, JSON, and refusals in a line."""

import json
import re
from dataclasses import replace

import pytest

import minigpt as mg
from minigpt import bench
from minigpt.cli import main
from minigpt.cli.estimate import Estimate
from minigpt.cost import Machine, StepSize, predict_growth
from minigpt.cost.hardware import DEFAULT_MFU
from minigpt.cost.published import PUBLISHED_MODELS, published_config


@pytest.fixture
def measured(monkeypatch):
    """A machine in place of the measured one: no time is spent."""
    machine = Machine(
        name="a machine", products=((128.0, 1e11),), attention=((128.0, 1e-11),),
        step=1e-3, block=1e-3, stream=1e-8, hidden=5e-9,
        logit=((1.0, 4e-9),), weight=((1.0, 2e-9),), embedding=((1.0, 2e-9),),
    )  # fmt: skip
    monkeypatch.setattr(bench, "probe_machine", lambda progress: machine)
    monkeypatch.setattr(bench, "busy_line", lambda: None)
    return machine


def test_a_preset_on_hardware_is_the_estimate_of_the_library(capsys):
    main(["estimate", "--preset", "gpt2", "--tokens", "300e9", "--on", "8xH100"])
    assert capsys.readouterr().out == f"{mg.estimate('gpt2', 300e9, '8xH100')}\n"
    main(["estimate", "--tokens", "1e9", "--on", "A100", "--price", "2", "--mfu", "0.5", "--json"])
    made = mg.estimate("gpt2", 1e9, "A100", price=2.0, mfu=0.5)
    assert json.loads(capsys.readouterr().out) == json.loads(made.to_json())


@pytest.mark.parametrize("name", [*mg.PRESETS, *PUBLISHED_MODELS])
def test_every_name_that_the_library_knows_is_a_preset_and_in_the_help(name, capsys):
    main(["estimate", "--preset", name, "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["parameters"] == mg.estimate(name).parameters
    assert re.search(rf"[ ,]{re.escape(name)}[ ,;.]", " ".join(Estimate.__doc__.split()))


def test_a_published_model_can_be_changed_and_grown(capsys):
    changed = replace(published_config("llama3.1-8b"), context_length=2048, vocab_size=1000)
    words = ["estimate", "--preset", "llama3.1-8b", "--context-length", "2048", "--vocab-size", "1000"]
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out)["parameters"] == changed.n_parameters
    main([*words, "--grow", "--on", "H100"])
    assert capsys.readouterr().out == f"{predict_growth(StepSize(config=changed, n_sequences=8), 'H100')}\n"


def test_the_shape_can_be_changed_and_a_run_can_be_meant(capsys, tmp_path):
    main(["estimate", "--preset", "nano", "--vocab-size", "65", "--context-length", "32", "--json"])
    config = mg.GPTConfig.preset("nano", vocab_size=65, context_length=32)
    assert json.loads(capsys.readouterr().out)["parameters"] == config.n_parameters
    (tmp_path / "my.txt").write_text("a text that is read again and again " * 40)
    out = str(tmp_path / "run")
    main(["train", "--text", str(tmp_path / "my.txt"), "--steps", "1", "--device", "cpu", "--out", out])
    capsys.readouterr()
    main(["estimate", "--run", out, "--json"])
    assert json.loads(capsys.readouterr().out)["parameters"] == mg.RunConfig.read(out).model.n_parameters


def test_a_budget_names_the_best_model_and_how_to_train_it(capsys, measured):
    main(["estimate", "--budget", "2 minutes on this laptop"])
    printed = capsys.readouterr().out
    assert "2 minutes on a machine" in printed and printed.count("compute-optimal") == 1
    main(["estimate", "--budget", "2 minutes", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["seconds"] == pytest.approx(120) and figures["best"] in printed
    main(["estimate", "--preset", "nano", "--tokens", "1e6", "--on", "this machine"])
    assert "a machine, measured" in capsys.readouterr().out


def test_a_busy_machine_is_said_once_beside_the_figures(capsys, measured, monkeypatch):
    monkeypatch.setattr(bench, "busy_line", lambda: "this machine is busy")
    main(["estimate", "--tokens", "1e6", "--on", "this-machine", "--json"])
    printed = capsys.readouterr()
    assert printed.err == "this machine is busy\n" and json.loads(printed.out)["on"] == "a machine"
    main(["estimate", "--tokens", "1e6", "--on", "A100"])
    assert "busy" not in capsys.readouterr().err


def test_the_price_of_a_budget_is_in_its_json_alone(capsys):
    budget = ["estimate", "--budget", "1 hour on 2xH100", "--price", "3"]
    main([*budget, "--json"])
    assert json.loads(capsys.readouterr().out)["dollars"] == pytest.approx(6)
    with pytest.raises(SystemExit):
        main(budget)
    assert "the table of a budget has no price, so --price has no effect" in capsys.readouterr().err


def test_the_default_of_the_help_is_that_of_the_library():
    assert f"(default: {DEFAULT_MFU})" in (Estimate.__doc__ or "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--on 8xH10", "the hardware '8xH10' is unknown"),
        ("--on Z9", "or --on 'this machine' to minigpt estimate"),
        ("--budget soon", "the budget 'soon' can't be read"),
        ("--budget tonight --preset gpt2", "--budget chooses the model and its tokens; leave out --preset"),
        ("--preset gpt3", "preset='gpt3' is unknown"),
        ("--run x --preset gpt2", "--run and --preset both say what the model is"),
        ("--price 3", "price has no effect without hardware; name it, such as on='8xH100' (--on 8xH100)"),
        ("--mfu .43", "mfu has no effect without hardware"),
        ("--on here --price 3", "price has no effect on a measured machine"),
        ("--budget tonight --mfu .3", "mfu has no effect on a measured machine"),
        ("--tokens 1e300 --on H100", "tokens must be a number above 0, got 1e+300; the largest is 1e+30"),
        ("--budget tonight --vocab-size 0", "vocab_size=0 must be"),
        ("--budget tonight --context-length 0", "context_length=0 must be"),
        ("--tokens -3", "tokens must be a number above 0"),
    ],
)
def test_what_can_not_be_is_refused_in_a_line(words, message, capsys, measured):
    with pytest.raises(SystemExit) as raised:
        main(["estimate", *words.split()])
    assert raised.value.code == 2 and message in capsys.readouterr().err


def test_growth_on_named_hardware_is_that_of_the_library(capsys):
    main(["estimate", "--grow", "--preset", "nano", "--vocab-size", "65", "--on", "A100", "--batch-size", "4"])
    base = StepSize(config=mg.GPTConfig.preset("nano", vocab_size=65), n_sequences=4)
    assert capsys.readouterr().out == f"{predict_growth(base, 'A100')}\n"


def test_growth_on_this_machine_is_measured_with_what_was_probed(capsys, measured, monkeypatch):
    base = StepSize(config=mg.GPTConfig(vocab_size=9, d_model=8, n_heads=2))
    monkeypatch.setattr(bench, "measure_growth", lambda machine, progress: predict_growth(base, machine))
    main(["estimate", "--grow", "--on", "this machine", "--json"])
    assert json.loads(capsys.readouterr().out) == predict_growth(base, measured).to_object()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--grow"], "--grow needs hardware"),
        (["--grow", "--on", "H100", "--tokens", "5"], "leave out --tokens"),
        (["--grow", "--on", "this laptop", "--vocab-size", "5"], "leave out --vocab-size"),
        (["--batch-size", "5"], "add --grow"),
        (["--budget", "tonight", "--batch-size", "5"], "add --grow"),
    ],
)
def test_what_growth_has_no_use_for_is_refused(capsys, measured, given, words):
    with pytest.raises(SystemExit):
        main(["estimate", *given])
    assert words in capsys.readouterr().err
