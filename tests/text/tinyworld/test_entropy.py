import math
import statistics

import pytest

from minigpt.text.tinyworld.derivation import log_prob
from minigpt.text.tinyworld.entropy import Floor, expected_characters, expected_nats
from minigpt.text.tinyworld.rendering import render
from minigpt.text.tinyworld.world import TinyWorld


def test_the_entropy_is_the_mean_surprise_over_all_stories(small_world):
    log_probs = [log_prob(story) for story in small_world()]
    assert expected_nats("all") == pytest.approx(-math.fsum(math.exp(p) * p for p in log_probs), rel=1e-12)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_mean_length_is_that_of_all_stories(language, small_world):
    lengths = math.fsum(math.exp(log_prob(story)) * (len(render(story, language)) + 1) for story in small_world())
    assert expected_characters("all", language) == pytest.approx(lengths, rel=1e-12)


def test_10_000_stories_are_as_surprising_and_as_long_as_expected():
    world = TinyWorld(split="train", seed=2)
    stories = [world.derivation(i) for i in range(10_000)]
    for name, expected, values in (
        ("-log p in nats", expected_nats("train"), [-log_prob(story, "train") for story in stories]),
        ("characters", expected_characters("train", "en"), [len(render(story, "en")) + 1 for story in stories]),
    ):
        mean, error = statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))
        print(f"{name}: expected {expected:.3f}, mean of {len(values):,} stories {mean:.3f} ± {error:.3f}")
        assert abs(mean - expected) < 2 * error


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_split_has_a_floor_of_its_own(split):
    world = TinyWorld(split=split)
    values = [-log_prob(world.derivation(i), split) for i in range(1000)]
    assert abs(statistics.fmean(values) - expected_nats(split)) < 3 * statistics.stdev(values) / math.sqrt(len(values))
    assert expected_nats(split) < expected_nats("train") < expected_nats("all")


def test_a_floor_is_shared_out_among_characters_and_tokens():
    floor = Floor(nats=50.0, characters=300.0, tokens=80.0)
    assert (floor.nats_per_character, floor.nats_per_token) == (50 / 300, 50 / 80)


def test_a_floor_without_tokens_says_how_to_count_them():
    with pytest.raises(ValueError, match=r"tokens were not counted; name a tokenizer: world\.floor\(tokenizer\)"):
        _ = Floor(nats=50.0, characters=300.0).nats_per_token
