"""minigpt/cost/memory.py and activations.py: the prediction beside what the library measures.

``memory_campaign.py`` has all combinations; these are a few of them.
"""

import pytest
import torch
from memory_cases import MODELS, compared, peak, step_of

import minigpt as mg
from minigpt.cost import StepPlan, kept_activations, peak_bytes, predict_memory
from minigpt.cost.activations import is_by_products
from minigpt.cost.memory import moment_numbers, stages
from minigpt.training import RunState, TrainConfig
from minigpt.training.execution.precision import Precision
from minigpt.training.safety.memory import PeakBytes


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gpt2", {}),
        ("gpt2", {"precision": "bf16", "recomputed": True}),
        ("large vocabulary", {"precision": "fp16"}),
        ("large vocabulary", {"loss": "chunked"}),
        ("llama", {"recomputed": True}),
        ("fast", {"precision": "bf16"}),
        ("alibi", {}),
        ("formula", {"recomputed": True}),
        ("experts", {}),
        ("experts", {"precision": "bf16"}),
    ],
)
def test_the_prediction_is_within_a_tenth_of_what_is_measured(name, settings):
    measured, predicted, of_one, told = compared(name, **settings)
    assert predicted == pytest.approx(measured, rel=0.1)
    assert (told.weights, told.gradients) == (of_one.weights, of_one.gradients)
    assert told.total(6) == pytest.approx(measured, rel=0.1)  # whose peak may be in another stage than that of two


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("products", {}),
        ("products", {"recomputed": True}),
        ("shared heads", {}),
        ("window", {}),
        ("slopes", {}),
        ("slopes", {"n_sequences": 1}),
        ("slopes", {"n_sequences": 1, "recomputed": True}),
        ("fast", {}),
        ("very large vocabulary", {}),
        ("very large vocabulary", {"loss": "chunked"}),
        ("very large vocabulary", {"loss": "chunked", "n_sequences": 1}),
    ],
)
def test_tables_of_attention_and_losses_in_chunks_are_predicted_within_7_percent(name, settings, precision):
    measured, predicted, *_ = compared(name, precision, **settings)
    assert predicted == pytest.approx(measured, rel=0.07)


@pytest.mark.parametrize("n_sequences", [1, 40])
def test_a_table_that_is_too_large_for_products_is_not_kept(monkeypatch, n_sequences):
    monkeypatch.setattr("minigpt.model.backends.LARGEST_TABLE", 6 * 8 * 128**2)
    monkeypatch.setattr("minigpt.cost.activations.LARGEST_TABLE", 6 * 8 * 128**2)
    monkeypatch.setitem(MODELS, "auto", {**MODELS["products"], "attention": "auto"})
    measured, predicted, *_ = compared("auto", "bf16", n_sequences=n_sequences)
    assert predicted == pytest.approx(measured, rel=0.07)


@pytest.mark.parametrize(
    ("changes", "precision", "by_products"),
    [
        ({}, "bf16", True),
        ({}, "fp32", False),
        ({}, "fp16", False),
        ({"attention": "products"}, "fp32", True),
        ({"attention": "products", "position": "alibi"}, "fp32", True),
        ({"attention": "sdpa"}, "bf16", False),
        ({"position": "alibi"}, "bf16", True),
        ({"context_length": 1}, "bf16", False),
        ({"context_length": 512}, "bf16", True),
        ({"context_length": 513}, "bf16", False),
        ({"context_length": 513, "attention": "products"}, "bf16", True),
    ],
)
def test_attention_by_two_products_is_known_where_it_is(monkeypatch, changes, precision, by_products):
    config = mg.GPTConfig(
        **{"vocab_size": 9, "context_length": 16, "d_model": 32, "n_heads": 2, "n_layers": 1} | changes
    )
    assert is_by_products(config, config.context_length, precision, 2) is by_products
    seen = []
    product = torch.Tensor.baddbmm_
    monkeypatch.setattr(torch.Tensor, "baddbmm_", lambda *a, **k: seen.append(1) or product(*a, **k))
    ids = torch.zeros(2, config.context_length, dtype=torch.int64)
    with Precision(precision, torch.device("cpu")).autocast():
        mg.GPT(config)(ids)
    assert bool(seen) is by_products


@pytest.mark.parametrize("tied_head", [True, False])
@pytest.mark.parametrize(("precision", "loss"), [("fp32", "logits"), ("fp32", "chunked"), ("bf16", "logits")])
def test_what_is_watched_is_what_is_allocated_where_gradients_of_a_tied_head_are_added(precision, loss, tied_head):
    config = mg.GPTConfig(**MODELS["very large vocabulary"], tied_head=tied_head)
    training = TrainConfig(device="cpu", precision=precision, loss=loss)
    data = mg.TokenDataset(torch.zeros(64, dtype=torch.int64), 32, vocab_size=1)
    run = RunState(mg.GPT(config).train(), training, data)
    allocated = peak(run, 1)
    run.optimizer.zero_grad()
    with PeakBytes() as watched:
        step_of(run, 1)()
    assert watched.peak == pytest.approx(allocated, rel=0.01)


def test_beyond_two_sequences_the_measured_line_is_too_low_where_the_prediction_is_right():
    measured, _, of_one, told = compared("large vocabulary", n_sequences=12)
    assert of_one.total(12) < measured / 2 and told.total(12) == pytest.approx(measured, rel=0.02)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("loss", ["logits", "chunked"])
def test_the_total_is_the_predicted_peak_of_any_number_of_sequences(precision, loss):
    config = mg.GPTConfig(vocab_size=2000, context_length=31, d_model=48, n_layers=2, n_heads=3, tied_head=False)
    plan = StepPlan(n_positions=31, precision=precision, loss=loss)
    told = predict_memory(config, plan)
    for n in (1, 2, 3, 7, 40):
        assert told.total(n) == told.weights + told.moments + peak_bytes(config, plan, n)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "lion", "muon"])
def test_moments_are_those_that_the_optimizer_keeps(optimizer):
    *_, measured, predicted = compared("gpt2", optimizer=optimizer)
    n_parameters = len(mg.GPT(mg.GPTConfig.preset("nano", vocab_size=9)).state_dict())
    assert 0 <= measured.moments - predicted.moments <= 4 * n_parameters  # a count of steps for each parameter


def test_adamw_keeps_two_numbers_of_each_weight():
    config = mg.GPTConfig.preset("gpt2-xl")
    assert moment_numbers(config, "adamw") == 2 * config.n_parameters


def test_recomputed_blocks_and_chunked_losses_need_less_and_more_sequences_more():
    config = mg.GPTConfig.preset("gpt2")
    plain, recomputed, chunked = (
        peak_bytes(config, StepPlan(n_positions=1024, **changes), 4)
        for changes in ({}, {"recomputed": True}, {"recomputed": True, "loss": "chunked"})
    )
    assert chunked < recomputed < plain < peak_bytes(config, StepPlan(n_positions=1024), 5)
    assert peak_bytes(config, StepPlan(n_positions=1024), 4) == max(
        size for _, size in stages(config, StepPlan(n_positions=1024), 4)
    )


def test_a_block_of_gpt2_keeps_sixteen_vectors_a_position():
    """Two norms with their outputs, q, k, v and the attention's output, and the hidden vector twice: 4 D wide."""
    config = mg.GPTConfig(vocab_size=9, context_length=8, d_model=16, n_layers=1, n_heads=4)
    statistics = 2 * 2 * 8 + 4 * 8  # mean and deviation of two norms, and a log-sum-exp for each head
    assert kept_activations(config, 8).block == 4 * (8 * 16 * (4 + 4 + 8) + statistics)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp8"}, "precision='fp8' is unknown; choose one of fp32, bf16, fp16"),
        ({"loss": "none"}, "loss='none' is unknown"),
        ({"optimizer": "adan"}, r"optimizer='adan' is unknown.*did you mean adam"),
        ({"n_positions": 0}, "n_positions=0 must be a whole number, at least 1"),
        ({"n_sequences": 0}, "n_sequences=0 must be a whole number, at least 1"),
    ],
)
def test_a_step_that_can_not_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        predict_memory(mg.GPTConfig.preset("nano"), StepPlan(**{"n_positions": 8, **changes}))
