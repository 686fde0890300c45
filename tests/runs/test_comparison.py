import dataclasses
import math
import os
import signal

import pytest

import minigpt as mg
from minigpt.runs import Comparison, RunConfig, Trial
from minigpt.runs.comparison import comparable
from minigpt.training import TrainConfig, loop

TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40


@pytest.fixture
def config(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return RunConfig.of(text=tmp_path / "text.txt", steps=8, batch_size=4, context_length=8, device="cpu")


def compare(switches, config, **options):
    return mg.compare(switches, config, **{"seeds": 1, "progress": False, **options})


def test_a_trial_is_the_run_that_its_configuration_describes(config, tmp_path):
    comparison = compare({"optimizer": ["lion"], "learning_rate": [0.002]}, config, seeds=2)
    trials = comparison.trials["optimizer=lion, learning_rate=0.002"]
    for seed, trial in enumerate(trials):
        alone = config.changed(optimizer="lion", learning_rate=0.002, seed=seed, out=tmp_path / str(seed))
        assert mg.start_run(alone, progress=False).history.validation_loss == trial.loss
    assert trials[0].loss != trials[1].loss


def test_several_switches_are_combined_in_every_way(config):
    comparison = compare({"optimizer": ["adamw", "sgd"], "ema": [0.0, 0.5]}, config.changed(steps=1))
    assert list(comparison.trials) == [
        "optimizer=adamw, ema=0.0",
        "optimizer=adamw, ema=0.5",
        "optimizer=sgd, ema=0.0",
        "optimizer=sgd, ema=0.5",
    ]


@pytest.mark.parametrize("switches", [{"batch_size": [2, 8]}, {"context_length": [4, 16]}])
def test_every_strategy_is_trained_on_the_same_number_of_tokens(config, switches):
    comparison = compare(switches, config)
    assert comparison.n_tokens == 8 * 4 * 8
    assert [trial.curve[-1][0] for (trial,) in comparison.trials.values()] == [256, 256]


def test_steps_may_themselves_be_compared(config):
    comparison = compare({"steps": [1, 5]}, config)
    assert [trial.curve[-1][0] for (trial,) in comparison.trials.values()] == [32, 160]


def test_where_the_runs_have_other_numbers_of_tokens_each_has_its_own(config):
    comparison = compare({"steps": [1, 5]}, config)
    head, one, five, *notes = str(comparison).splitlines()
    note = " ".join(notes)
    assert head.split()[-1] == "tokens" and "32" in one.split() and "160" in five.split()
    assert "tokens each" not in note and comparison.n_tokens == 160
    assert [trial.n_tokens for (trial,) in comparison.trials.values()] == [32, 160]


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_that_diverges_in_its_last_steps_is_one_that_diverged(config, steps, capsys):
    with pytest.warns(UserWarning, match="not finite"):
        comparison = compare({"init_std": [1e30]}, config.changed(steps=steps), progress=True)
    assert capsys.readouterr().out == "init_std=1e+30, seed 0: diverged\n"
    assert comparison.trials == {"init_std=1e+30": [Trial(loss=math.inf, n_tokens=steps * 32)]}
    assert "1 of 1 diverged" in str(comparison) and "lowest" not in str(comparison)


def test_a_run_that_diverges_is_said_to_and_stops_no_other(config):
    with pytest.warns(UserWarning, match="not finite"):
        comparison = compare({"init_std": [0.02, 1e30]}, config)
    assert comparison.best == "init_std=0.02"
    assert "init_std=1e+30    1 of 1 diverged" in str(comparison)
    assert [text.get_text().endswith("diverged") for text in comparison.plot().axes[0].get_legend().get_texts()] == [
        False,
        True,
    ]


@pytest.fixture
def known():
    losses = {"optimizer=adamw": [2.0, 2.2, 2.4], "optimizer=muon": [1.9, 2.0, 2.1]}
    trials = {
        name: [
            Trial(
                loss=loss,
                tokens_per_second=1000 * loss,
                speed_spread=50 * loss,
                n_steps=40,
                curve=((10, 3.0), (20, loss)),
            )
            for loss in some
        ]
        for name, some in losses.items()
    }
    return Comparison(trials=trials, n_tokens=20, floor=1.5)


def test_the_table_has_mean_spread_speed_and_the_lowest(known):
    lines = str(known).splitlines()
    assert lines[1].split() == ["optimizer=adamw", "2.2000", "±", "0.2000", "2,200", "±", "110"]
    assert lines[2].split() == ["optimizer=muon", "2.0000", "±", "0.1000", "2,000", "±", "100", "lowest"]
    notes = " ".join(lines[3:])
    assert "standard deviation of 3 seeds; 20 tokens each; tokens/s: median ± half the interquartile" in notes
    assert "range of 40 steps; no model can expect less than 1.5000" in notes


def test_one_strategy_alone_is_not_the_lowest(known):
    alone = Comparison(trials={"optimizer=muon": known.trials["optimizer=muon"]}, n_tokens=20)
    assert "lowest" in str(known) and "lowest" not in str(alone)


def test_one_seed_has_no_spread(known):
    one = {name: trials[:1] for name, trials in known.trials.items()}
    table = str(Comparison(trials=one, n_tokens=20))
    assert "one seed: its spread is unknown" in table
    assert table.splitlines()[1].split() == ["optimizer=adamw", "2.0000", "2,000", "±", "100"]


def test_a_speed_of_few_steps_is_left_out(known, config, capsys):
    few = {name: [dataclasses.replace(trial, n_steps=19) for trial in trials] for name, trials in known.trials.items()}
    table = str(Comparison(trials=few, n_tokens=20))
    assert table.splitlines()[1].split()[-1] == "–" and "; tokens/s needs 20 steps" in table
    compare({"optimizer": ["adamw"]}, config.changed(steps=19), progress=True)
    assert "tokens/s" not in capsys.readouterr().out


def test_the_speed_of_a_run_is_its_median_with_half_of_the_interquartile_range(config, monkeypatch, capsys):
    speeds = [float(i) for i in (*range(100, 120), 5000)]  # the quarters end at 105, 110 and 115

    def trained(*arguments, **options):
        rows = [{"step": i, "loss": 1.0, "tokens_per_second": speed} for i, speed in enumerate(speeds)]
        return mg.History([*rows[:-1], {**rows[-1], "validation_loss": 1.0}])

    monkeypatch.setattr("minigpt.runs.comparison.train", trained)
    (trial,) = compare({"optimizer": ["adamw"]}, config, progress=True).trials["optimizer=adamw"]
    assert (trial.tokens_per_second, trial.speed_spread, trial.n_steps) == (110.0, 5.0, 21)
    assert "110 ± 5 tokens/s" in capsys.readouterr().out


def test_the_plot_has_the_mean_of_each_strategy_and_the_floor(known):
    (axes,) = known.plot().axes
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[3.0, pytest.approx(2.2)], [3.0, pytest.approx(2.0)]]
    assert len(axes.collections) == 2 and "floor: 1.500" in [t.get_text() for t in axes.get_legend().get_texts()]


@pytest.mark.parametrize(
    ("switches", "message"),
    [
        (
            {"corpus": ["a", "b"]},
            "'corpus' can't be compared; choose from preset, recipe, context_length, d_model",
        ),
        ({"seed": [0, 1]}, "'seed' can't be compared"),
        ({"colour": ["red"]}, "'colour' can't be compared"),
        ({"positon": ["alibi"]}, "'positon' can't be compared; did you mean position?"),
        ({"eval_every": [1, 2]}, "'eval_every' can't be compared"),
        ({"optimizer": []}, "optimizer has no values"),
        ({"recipe": ["gpt2", "as-written"]}, "recipe='as-written' reads the text in another way"),
        ({"optimizer": ["adamw", "best"]}, "optimizer='best' is unknown; choose one of sgd"),
        ({"init_std": [-1.0]}, "init_std=-1.0 must be"),
        ({"context_length": [8, 100000]}, "tokens are too few for context_length=100000"),
        ({"device": ["cpu", "cuda:97"]}, "device='cuda:97' is not on this machine"),
        ({}, "nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_trained(config, switches, message, monkeypatch):
    monkeypatch.setitem(mg.compare.__globals__, "train", None)
    with pytest.raises(ValueError, match=message):
        compare(switches, config)


def test_seeds_must_be_at_least_one(config):
    with pytest.raises(ValueError, match="seeds=0 must be at least 1"):
        compare({"optimizer": ["adamw"]}, config, seeds=0)


def test_every_setting_that_decides_the_weights_or_the_speed_can_be_compared():
    model, training = ({field.name for field in dataclasses.fields(part)} for part in (mg.GPTConfig, TrainConfig))
    kept = {"seed", "eval_every", "checkpoint_every", "keep_checkpoints", "background_saves", "sharded_checkpoints"}
    expected = {"preset", "recipe", *model, *(training - kept - {"strategy", "tensorboard"})}
    assert set(comparable()) == expected - {"vocab_size"}


def test_a_field_of_the_model_a_preset_and_a_recipe_can_be_compared(config):
    comparison = compare({"position": ["learned", "alibi"], "recipe": ["gpt2", "fast"]}, config.changed(steps=1))
    losses = {name: trial.loss for name, (trial,) in comparison.trials.items()}
    assert len(set(losses.values())) == 4
    sizes = compare({"preset": ["nano", "llama-tiny"], "n_layers": [1], "context_length": [8]}, config.changed(steps=1))
    assert len({trial.loss for (trial,) in sizes.trials.values()}) == 2


def test_rates_that_follow_a_rule_follow_each_strategy(config, monkeypatch):
    seen = []
    monkeypatch.setitem(
        mg.compare.__globals__, "_trial", lambda plan, *_: seen.append(plan.training) or Trial(loss=1.0)
    )
    compare({"d_model": [64, 128], "optimizer": ["adamw", "muon"]}, config)
    assert [training.learning_rate for training in seen] == [0.004, 0.032, 0.002, 0.016]
    assert [training.final_learning_rate for training in seen] == [0.0004, 0.0032, 0.0002, 0.0016]


def test_a_spread_of_a_strategy_that_diverged_is_no_number():
    comparison = Comparison(trials={"a": [Trial(loss=2.0), Trial(loss=math.inf)]}, n_tokens=1)
    mean, spread = comparison.loss("a")
    assert mean == math.inf and math.isnan(spread)


def stopped_after(n_steps, monkeypatch):
    """SIGTERM during a step, counted over all runs."""
    step, done = loop.evaluated_step, []

    def evaluated_step(*arguments):
        done.append(None)
        if len(done) == n_steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)

    monkeypatch.setattr(loop, "evaluated_step", evaluated_step)


def test_a_comparison_that_is_stopped_keeps_the_runs_that_are_whole(config, monkeypatch):
    whole = compare({"optimizer": ["adamw", "sgd"]}, config, seeds=2)
    stopped_after(8 + 8 + 5, monkeypatch)
    cut = compare({"optimizer": ["adamw", "sgd"]}, config, seeds=2)
    assert {name: [trial.loss for trial in each] for name, each in cut.trials.items()} == {
        name: [each[0].loss] for name, each in whole.trials.items()
    }
    assert cut.n_missing == 2 and str(cut).endswith("\nstopped: 2 of 4 runs are whole, and only they are counted")
    assert "stopped" not in str(whole)
    cut.plot()


def test_a_comparison_that_is_stopped_before_its_first_run_is_whole_has_nothing_to_show(config, monkeypatch):
    stopped_after(3, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        compare({"optimizer": ["adamw", "sgd"]}, config)


def test_the_notes_below_a_comparison_fit_a_terminal(config):
    assert max(map(len, str(compare({"optimizer": ["adamw", "sgd"]}, config)).split("\n"))) <= 80
