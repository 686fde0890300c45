"""minigpt/cost/memory.py and activations.py: the prediction beside what the library measures.

``memory_campaign.py`` has all combinations; these are a few of them.
"""

import pytest
from memory_cases import compared

import minigpt as mg
from minigpt.cost import StepPlan, kept_activations, peak_bytes, predict_memory
from minigpt.cost.memory import moment_numbers, stages


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
