import math

import pytest
import torch

import minigpt as mg
from minigpt.training import TrainConfig, load_checkpoint
from minigpt.training.safety import spikes as spikes_module
from minigpt.training.safety.spikes import LEAST, SpikeWatch, Usual


def test_a_level_that_never_changed_makes_any_rise_a_spike():
    usual = Usual()
    assert usual.score(9.0) == 0.0
    usual.add(2.0)
    assert (usual.score(2.5), usual.score(1.5)) == (math.inf, -math.inf)


@pytest.mark.parametrize(("loss", "norm"), [(9.0, 1.0), (3.0, 9.0)])
def test_a_spike_is_seen_in_the_loss_and_in_the_norm_after_fifty_steps(loss, norm):
    watch, off = SpikeWatch(6.0), SpikeWatch(None)
    for i in range(LEAST):
        assert not watch.is_spike(loss, norm)
        for each in (watch, off):
            each.add(3 + 0.1 * (-1) ** i, 1 + 0.1 * (-1) ** i)
    assert watch.is_spike(loss, norm) and not off.is_spike(loss, norm)
    assert not watch.is_spike(3.3, 1.3)  # three deviations


class Spiky:
    """Data whose targets are all wrong at the steps that are named, which makes their loss high."""

    def __init__(self, data, bad):
        self.data, self.bad = data, bad

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, *arguments, **options):
        inputs, targets = self.data.batch(step, *arguments, **options)
        return (inputs, torch.full_like(targets, 0)) if step in self.bad else (inputs, targets)


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setattr(spikes_module, "LEAST", 25)  # the loss of a model that knows nothing falls too fast to judge it
    settings = {"batch_size": 4, "learning_rate": 0.01, "eval_every": 0, "checkpoint_every": 31, "device": "cpu"}
    return lambda threshold: TrainConfig(steps=40, spike_threshold=threshold, **settings)


def test_a_spike_is_skipped_with_a_message_and_only_if_wanted(make_model, data, config):
    with pytest.warns(UserWarning, match=r"step 30: loss .* usually .*: a spike, the update is skipped"):
        history = mg.train(make_model(), Spiky(data, {30}), config(6.0), progress=False)
    assert [row["step"] for row in history.rows if "skipped" in row] == [30]
    off = mg.train(make_model(), Spiky(data, {30}), config(None), progress=False)
    assert not any("skipped" in row for row in off.rows)
    assert off.rows[30]["loss"] == history.rows[30]["loss"]
    assert off.rows[31]["loss"] != history.rows[31]["loss"]  # the weights have moved


def test_a_third_spike_in_a_row_is_the_new_level(make_model, data, config):
    with pytest.warns(UserWarning, match="a spike"):
        history = mg.train(make_model(), Spiky(data, range(30, 40)), config(6.0), progress=False)
    assert [row["step"] for row in history.rows if "skipped" in row] == [30, 31]


def test_what_is_usual_is_saved_and_a_resumed_run_skips_the_same_steps(make_model, data, config, tmp_path):
    whole, part, resumed = make_model(), make_model(), make_model()
    spiky = Spiky(data, {30, 33})
    with pytest.warns(UserWarning, match=r"step 3\d.*a spike"):
        expected = mg.train(whole, spiky, config(6.0), progress=False)
    with pytest.warns(UserWarning, match=r"step 3\d.*a spike"):
        mg.train(part, spiky, config(6.0), out=tmp_path, progress=False)
    newest = max((tmp_path / "checkpoints").iterdir())
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    assert load_checkpoint(tmp_path / "checkpoints").state["carried"]["spikes_in_a_row"] == 1
    with pytest.warns(UserWarning, match=r"step 3\d.*a spike"):
        history = mg.train(resumed, spiky, config(6.0), out=tmp_path, resume=True, progress=False)
    assert [row.get("skipped") for row in history.rows] == [row.get("skipped") for row in expected.rows]
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match=r"spike_threshold was 6\.0, now 4\.0"):
        mg.train(make_model(), spiky, config(4.0), out=tmp_path, resume=True, progress=False)
