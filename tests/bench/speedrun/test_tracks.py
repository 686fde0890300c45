"""minigpt/bench/speedrun/tracks.py: each track is a run of ``minigpt train``, and its schedule ends with it."""

import pytest

from minigpt.bench.speedrun.tracks import TRACKS


def test_the_targets_are_those_of_the_leaderboard_the_easiest_first():
    assert [(name, track.target) for name, track in TRACKS.items()] == [
        ("1.88", 1.88),
        ("1.60", 1.60),
        ("1.4697", 1.4697),
        ("1.44", 1.44),
    ]


@pytest.mark.parametrize("name", TRACKS)
def test_the_learning_rate_falls_to_its_end_at_the_last_step_of_the_track(name):
    track = TRACKS[name]
    plan = track.config(corpus="tiny-world").resolved(vocab_size=65).training
    assert plan.steps == track.steps
    assert plan.rate(track.steps) == plan.final_rate < plan.rate(track.steps - 1)


@pytest.mark.parametrize("name", TRACKS)
def test_a_track_is_the_recipe_fast_in_its_sizes_on_the_cpu(name):
    track = TRACKS[name]
    config = track.config(corpus="tiny-world", seed=3)
    assert (config.model.mlp, config.model.qk_norm, config.model.bias) == ("relu2", True, False)
    assert (config.training.device, config.training.seed) == ("cpu", 3)
    assert track.n_tokens == config.training.steps * config.training.batch_size * config.model.context_length
