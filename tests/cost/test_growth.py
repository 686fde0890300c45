"""minigpt/cost/growth.py: one size grows, the others stay; the costs are those of the grown step."""

from dataclasses import replace

import pytest

import minigpt as mg
from minigpt.cost import Machine, StepPlan, StepSize, forward_flops, predict_growth
from minigpt.cost.growth import STEP_SIZES

BASE = StepSize(
    config=mg.GPTConfig(vocab_size=50, context_length=16, d_model=24, n_layers=3, n_heads=6, n_kv_heads=2, d_hidden=40),
    n_sequences=5,
)
MACHINE = Machine(
    name="a machine", products=((24.0, 1e9),), attention=((16.0, 1e-9),),
    step=1e-3, block=1e-4, stream=1e-9, hidden=1e-9,
    logit=((1.0, 1e-9),), weight=((1.0, 1e-9),), embedding=((1.0, 1e-9),),
)  # fmt: skip


@pytest.mark.parametrize("axis", STEP_SIZES)
def test_one_size_is_multiplied_and_the_others_stay(axis):
    grown = BASE.grown(axis, 3)
    assert grown.value(axis) == 3 * BASE.value(axis)
    assert all(grown.value(other) == BASE.value(other) for other in STEP_SIZES if other != axis)
    assert BASE.grown(axis, 1) == BASE


def test_a_wider_model_has_more_heads_of_the_same_width():
    wider = BASE.grown("d_model", 2).config.resolved()
    assert (wider.n_heads, wider.n_kv_heads, wider.d_hidden, wider.d_head) == (12, 4, 80, 4)


def test_the_costs_are_those_of_an_estimate_of_the_grown_step():
    growth = predict_growth(BASE, "4xH100", axes=["context_length", "n_sequences"], factors=[4], mfu=0.5)
    assert [(row.axis, row.factor) for row in growth.rows] == [
        ("context_length", 1), ("context_length", 4), ("n_sequences", 1), ("n_sequences", 4)
    ]  # fmt: skip
    longer = replace(BASE.config, context_length=64)
    plan = StepPlan(n_positions=64, n_sequences=5, precision="bf16")
    alone = mg.estimate(longer, 5 * 64, "H100", plan=plan, mfu=0.5)
    row = growth.rows[1]
    assert (row.estimate.memory, row.seconds) == (alone.memory, alone.seconds)
    assert row.estimate.training_flops == pytest.approx(3 * 5 * forward_flops(longer, 64).total)
    assert growth.rows[3].seconds == pytest.approx(4 * growth.rows[2].seconds)


def test_more_devices_compute_the_same_and_send_more():
    rows = predict_growth(BASE, MACHINE, axes=["n_devices"], factors=[1, 2, 4]).rows
    message = 4 * BASE.config.n_parameters
    assert [row.sent for row in rows] == pytest.approx([0, message, 1.5 * message])
    assert len({row.seconds for row in rows}) == 1


def test_a_count_of_devices_is_that_of_the_smallest_step():
    growth = predict_growth(BASE, "8xH100", axes=["n_devices"], factors=[2])
    assert [row.size.n_devices for row in growth.rows] == [8, 16]
    assert growth.rows[0].sent == pytest.approx(2 * 7 / 8 * 4 * BASE.config.n_parameters)
    assert growth.rows[0].seconds == predict_growth(BASE, "H100", axes=["n_devices"], factors=[1]).rows[0].seconds
    assert "5 sequences a device, on 8 × H100\n" in str(growth)


@pytest.mark.parametrize(
    ("lang", "on", "mfu", "words"),
    [
        ("C", "H100", None, "predicted: at 43% of the bf16 peak (--mfu)"),
        ("C", "H100", 0.125, "predicted: at 12.5% of the bf16 peak (--mfu)"),
        ("C", MACHINE, None, "predicted: from the measured times of its parts"),
        ("zh_CN.UTF-8", "H100", 0.5, "预测：按达到 bf16 峰值的 50% 计算（--mfu）"),
    ],
)
def test_what_the_predicted_time_rests_on_is_told(monkeypatch, lang, on, mfu, words):
    monkeypatch.setenv("LC_ALL", lang)
    assert str(predict_growth(BASE, on, axes=["n_layers"], factors=[2], mfu=mfu)).endswith(f"\n{words}")


def test_the_error_is_that_of_the_prediction_and_the_base_has_none():
    growth = predict_growth(BASE, MACHINE, axes=["n_layers"], factors=[2])
    assert growth.largest_error() is None and "measured error" not in str(growth)
    first, second = growth.rows
    rows = (replace(first, measured=9 * first.seconds), replace(second, measured=second.seconds / 1.25))
    checked = replace(growth, rows=rows)
    assert checked.largest_error() == pytest.approx(0.25)
    assert str(checked).count("+25%") == 1 and "-89%" not in str(checked)
    assert checked.to_object()["rows"][1]["measured"] == second.seconds / 1.25


def test_the_plot_has_a_line_and_dots_for_each_size():
    pytest.importorskip("matplotlib")
    growth = predict_growth(BASE, MACHINE, axes=["n_layers", "vocab_size"], factors=[2])
    (axes,) = growth.plot().axes
    assert [line.get_linestyle() for line in axes.lines] == ["-", "None"] * 2
    assert axes.lines[0].get_xydata().tolist() == [[row.factor, row.seconds] for row in growth.rows[:2]]


def test_what_cannot_grow_is_refused():
    with pytest.raises(ValueError, match="axis"):
        BASE.grown("depth", 2)
    with pytest.raises(ValueError, match="factor=0 must be at least 1"):
        BASE.grown("n_layers", 0)
