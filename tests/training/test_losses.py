"""minigpt/training/losses.py: the loss computed in other ways, and a run with each of them."""

import dataclasses
import shutil

import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig, accumulate_gradients, decay_groups
from minigpt.training.losses import LOSSES
from minigpt.training.safety.memory import step_memory

OTHERS = [name for name in LOSSES if name not in ("logits", "triton")]  # tests/kernels trains with the kernel
SETTINGS = {"steps": 20, "batch_size": 8, "micro_batch_size": 4, "eval_every": 5, "device": "cpu", "weight_decay": 0.0}


def curves(model, data, **changes):
    history = mg.train(model, data, TrainConfig(**{**SETTINGS, **changes}), validation=data, progress=False)
    return column(history, "loss"), column(history, "validation_loss")


def column(history, name):
    return [row[name] for row in history.rows if name in row]


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.2}], ids=["plain", "smoothed"])
@pytest.mark.parametrize("tied_head", [True, False])
@pytest.mark.parametrize("name", OTHERS)
def test_every_way_gives_the_same_curves(make_model, data, name, tied_head, changes):
    expected, actual = (
        curves(make_model(tied_head=tied_head), data, loss=loss, **changes) for loss in ("logits", name)
    )
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert expected[0][-1] < expected[0][0]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_16_bits_they_agree_to_three_digits(make_model, data, precision):
    expected, actual = (curves(make_model(), data, loss=loss, precision=precision)[0] for loss in ("logits", "chunked"))
    assert actual == pytest.approx(expected, rel=1e-3)


def test_with_a_large_vocabulary_a_step_needs_far_less(make_model, data):
    def needs(loss):
        model = make_model(vocab_size=5000).train()
        config = TrainConfig(steps=1, batch_size=8, device="cpu", loss=loss)
        return step_memory(RunState(model, mg.AdamW(decay_groups(model, 0.1)), config, data))

    assert needs("chunked").activations < needs("logits").activations / 10


def test_a_run_may_go_on_with_another_way(make_model, data, tmp_path):
    config = TrainConfig(**SETTINGS, checkpoint_every=10)
    whole = mg.train(make_model(), data, config, out=tmp_path, progress=False)
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000020")
    config = dataclasses.replace(config, loss="chunked")
    resumed = mg.train(make_model(), data, config, out=tmp_path, resume=True, progress=False)
    assert column(resumed, "loss") == pytest.approx(column(whole, "loss"), abs=1e-6)


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="loss='all' is unknown; choose one of logits, chunked, triton"):
        TrainConfig(loss="all")


@pytest.mark.parametrize("name", OTHERS)
def test_where_few_positions_count_the_gradients_are_the_same(make_model, data, name):
    inputs, targets = data.batch(0, 32)
    targets[:, 3:] = -100
    expected, actual = make_model(), make_model()
    losses = [
        accumulate_gradients(m, inputs, targets, 8, summed_loss=LOSSES[way])
        for m, way in ((expected, "logits"), (actual, name))
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    for a, b in zip(expected.parameters(), actual.parameters(), strict=True):
        assert a.grad.abs().max() > 1e-4
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-6)
