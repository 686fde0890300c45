"""minigpt/training/execution/probing.py: the choice from given times, and that making it leaves no trace."""

import random

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig
from minigpt.training.execution import precision, probing
from minigpt.training.execution.probing import PrecisionChoice, choose_precision, faster_precision

MATRIX = "blocks.0.mlp.expand.weight"


@pytest.fixture
def multiplies(monkeypatch):
    """Sets whether the CPU has instructions for bfloat16."""

    def set_to(knows):
        for name in precision.BF16_INSTRUCTIONS:
            monkeypatch.setattr(torch.cpu, name, lambda: knows, raising=False)

    set_to(True)
    return set_to


def a_run(model, data, **settings):
    return RunState(
        model.train(), TrainConfig(**{"device": "cpu", "batch_size": 4, "precision": "auto"} | settings), data
    )


def given(monkeypatch, **seconds):
    """The clock finds these times; what it was asked for is returned."""
    asked = []

    def least(ways, turns, at_most):
        asked.append((list(ways), turns, at_most))
        for way in ways.values():
            way()
        return {"bf16-weights": seconds["narrow"], "fp32": seconds["wide"]}

    monkeypatch.setattr(probing, "seconds_in_turns", least)
    return asked


@pytest.mark.parametrize(
    ("narrow", "wide", "chosen"),
    [(1.0, 2.0, "bf16-weights"), (1.0, 0.91, "bf16-weights"), (1.0, 0.89, "fp32"), (1.0, 1.0, "bf16-weights")],
)
def test_fp32_is_chosen_where_it_is_faster_by_more_than_the_noise(narrow, wide, chosen):
    assert faster_precision({"bf16-weights": narrow, "fp32": wide}) == chosen
    assert faster_precision({"fp32": wide, "bf16-weights": narrow}) == chosen


@pytest.mark.parametrize(("wide", "lang"), [(0.061, "en"), (0.061, "zh"), (0.03, "en")])
def test_it_says_what_it_measured_in_both_languages(monkeypatch, multiplies, make_model, data, wide, lang):
    monkeypatch.setenv("LC_ALL", {"en": "C.UTF-8", "zh": "zh_CN.UTF-8"}[lang])
    asked = given(monkeypatch, narrow=0.036, wide=wide)
    chosen = choose_precision(a_run(make_model(), data, steps=2000))
    assert asked == [(["bf16-weights", "fp32"], 4, 2.0)]
    says = {
        (0.061, "en"): "precision bf16-weights: a step takes 36.0 ms against 61.0 ms in fp32",
        (0.061, "zh"): "精度 bf16-weights：一步用 36.0 毫秒，fp32 用 61.0 毫秒",
        (0.03, "en"): "precision fp32: a step takes 30.0 ms against 36.0 ms in bf16-weights",
    }
    name = "fp32" if wide < 0.036 else "bf16-weights"
    assert chosen == PrecisionChoice(name, says[wide, lang], min(wide, 0.036))


def test_without_instructions_it_is_fp32_at_once(monkeypatch, multiplies, make_model, data):
    multiplies(False)
    monkeypatch.setattr(probing, "seconds_in_turns", None)
    chosen = choose_precision(a_run(make_model(), data, steps=10**6))
    assert chosen == PrecisionChoice(
        "fp32", "precision fp32: this CPU has no instructions that multiply bfloat16", None
    )


@pytest.mark.parametrize(("steps", "timed"), [(159, False), (160, True)])
def test_eight_steps_are_timed_only_where_they_are_a_twentieth_of_the_run(
    monkeypatch, multiplies, make_model, data, steps, timed
):
    asked = given(monkeypatch, narrow=2.0, wide=1.0)
    assert choose_precision(a_run(make_model(), data, steps=steps)).name == ("fp32" if timed else "bf16-weights")
    assert len(asked) == timed


def test_of_a_large_step_one_product_is_timed_on_fewer_rows(monkeypatch, multiplies, make_model, data):
    run = a_run(make_model(), data, steps=2000)
    n_numbers = dict(run.model.named_parameters())[MATRIX].numel()
    monkeypatch.setattr(probing, "MOST_OPERATIONS", 6.0 * n_numbers * 5)
    asked, shapes = given(monkeypatch, narrow=0.012, wide=0.03), []
    monkeypatch.setattr(probing, "_steps", None)
    products = probing._products

    def seen(model, narrow, tokens):
        ways = products(model, narrow, tokens)
        shapes.extend([(y.dtype, tuple(y.shape)) for y in way()] for way in ways.values())
        return ways

    monkeypatch.setattr(probing, "_products", seen)
    d, f = run.model.config.d_model, run.model.config.hidden_width
    expected = [(5, f), (5, d), (f, d)]
    chosen = choose_precision(run)
    assert shapes == [[(dtype, shape) for shape in expected] for dtype in (torch.bfloat16, torch.float32)]
    assert chosen.why == "precision bf16-weights: the largest product takes 12.0 ms against 30.0 ms in fp32"
    assert chosen.step_seconds is None and len(asked) == 1


@pytest.mark.parametrize("name", ["fp32", "bf16", "bf16-weights"])
def test_a_precision_that_is_set_is_not_timed(monkeypatch, multiplies, make_model, data, capsys, name):
    monkeypatch.setattr("minigpt.training.loop.choose_precision", None)
    mg.train(make_model(), data, TrainConfig(steps=1, batch_size=2, device="cpu", precision=name))
    assert "precision" not in capsys.readouterr().out


def test_a_model_that_is_not_copied_is_not_run_before_its_first_step(monkeypatch, multiplies, make_model, data):
    monkeypatch.setattr(probing, "seconds_in_turns", None)
    model = make_model()
    model.blocks[0].register_forward_hook(lambda *_: None)
    assert choose_precision(a_run(model, data, steps=2000)) == PrecisionChoice("bf16")


def test_the_choice_leaves_the_run_as_it_was(monkeypatch, multiplies, make_model, data):
    given(monkeypatch, narrow=2.0, wide=1.0)
    run = a_run(make_model(dropout=0.3), data, steps=2000)
    before = (run.precision, run.wrapper, run.optimizer, run.config, torch.get_rng_state().tolist())
    assert choose_precision(run).name == "fp32"
    assert all(p.grad is None for p in run.model.parameters())
    after = (run.precision, run.wrapper, run.optimizer, run.config, torch.get_rng_state().tolist())
    assert all(new is old for new, old in zip(after[:4], before[:4], strict=True)) and after[4] == before[4]


@pytest.mark.parametrize(("wide", "name"), [(0.5, "fp32"), (2.0, "bf16-weights")])
def test_training_says_it_and_does_what_that_precision_does(
    monkeypatch, multiplies, make_model, data, capsys, wide, name
):
    given(monkeypatch, narrow=1.0, wide=wide)
    settings = {"steps": 160, "batch_size": 4, "device": "cpu", "optimizer": "muon", "eval_every": 0}
    auto = mg.train(make_model(dropout=0.1), data, TrainConfig(**settings, precision="auto"))
    assert capsys.readouterr().out.startswith(f"precision {name}: a step takes ")
    own = mg.train(make_model(dropout=0.1), data, TrainConfig(**settings, precision=name), progress=False)
    assert [row["loss"] for row in auto.rows] == [row["loss"] for row in own.rows]


def test_a_run_that_is_resumed_is_not_timed(monkeypatch, multiplies, make_model, data, tmp_path):
    asked = given(monkeypatch, narrow=1.0, wide=2.0)
    config = TrainConfig(steps=160, batch_size=4, device="cpu", precision="auto", checkpoint_every=80)
    mg.train(make_model(), data, config, out=tmp_path, progress=False)
    (tmp_path / "checkpoints" / "step-00000160").rename(tmp_path / "checkpoints" / "elsewhere")
    mg.train(make_model(), data, config, out=tmp_path, resume=True, progress=False)
    assert len(asked) == 1


def noisy(model):
    """The model, in which a part that is not ours draws from the global generator."""
    part = model.blocks[0].mlp
    model.blocks[0].mlp = Noisy(part)
    return model


class Noisy(torch.nn.Module):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def forward(self, x):
        return self.part(x) + 0.1 * torch.randn_like(x)


def test_timing_leaves_what_data_and_parts_draw_from_as_it_was(monkeypatch, multiplies, make_model):
    given(monkeypatch, narrow=1.0, wide=0.5)
    monkeypatch.setattr("minigpt.training.execution.compiling._can_compile", lambda device: True)

    class Cropped:
        """Items that are drawn anew each time they are asked for."""

        def __len__(self):
            return 8

        def __getitem__(self, i):
            start = random.randrange(5) + np.random.randint(5) + int(torch.randint(5, ()))  # noqa: NPY002
            return torch.arange(start, start + 17) % 14

    def losses(**settings):
        random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
        config = TrainConfig(**{"steps": 160, "batch_size": 2, "device": "cpu", "eval_every": 0} | settings)
        return [row["loss"] for row in mg.train(noisy(make_model()), Cropped(), config, progress=False).rows]

    own = losses(precision="fp32")
    assert losses(precision="auto") == own
    assert losses(precision="fp32", compile="auto") == own


def test_half_a_gradient_of_a_timing_that_was_stopped_is_not_of_the_next_run(monkeypatch, multiplies, make_model, data):
    def stopped(wrapper, *_):
        next(run.model.parameters()).grad = torch.ones_like(next(run.model.parameters()))
        raise KeyboardInterrupt

    run = a_run(make_model(), data, steps=2000)
    monkeypatch.setattr("minigpt.training.gradients.accumulate_gradients", stopped)
    with pytest.raises(KeyboardInterrupt):
        choose_precision(run)
    assert all(p.grad is None for p in run.model.parameters())
