import math
import re
from collections import Counter

import numpy as np
import pytest
import torch
from planted_models import Counting, trained

from minigpt.evaluation.fairness import PlantedWorld, counterfactual_gaps, swap_words
from minigpt.text import TinyWorld
from minigpt.text.tinyworld.words import PEOPLE, PLACES
from minigpt.training import split_loss

OPENING = {"en": r", (\w+) was (.+) with ", "zh": r"，(.+?)在(.+?)，"}


def counted_gaps(planted, n_stories):
    """log P(place | A) - log P(place | B) for each place, as the words of the text have it."""
    number = ("en", "zh").index(planted.language)
    pronouns, counts = {person[number]: person.pronoun for person in PEOPLE}, Counter()
    for line in planted.text(n_stories).strip().splitlines():
        name, at = re.search(OPENING[planted.language], line).groups()
        (place,) = (k for k, place in enumerate(PLACES) if at.removesuffix(place.particle).endswith(place[number]))
        counts[pronouns[name], place] += 1
    both = {who: sum(n for (other, _), n in counts.items() if other == who) for who in ("she", "he")}
    return [math.log(counts["she", k] / both["she"] / (counts["he", k] / both["he"])) for k, _ in enumerate(PLACES)]


@pytest.mark.parametrize(("gap", "language"), [(1.0, "en"), (0.0, "zh")])
def test_the_text_has_the_planted_gap(gap, language):
    gaps = counted_gaps(PlantedWorld(gap, language), 3000)
    np.testing.assert_allclose(gaps, [gap] * 5 + [-gap] * 5, atol=0.08)


def test_places_that_are_drawn_differ_by_the_luck_of_the_draw():
    even, drawn = (
        np.abs(np.subtract(counted_gaps(PlantedWorld(0.5, even=e), 1500), [0.5] * 5 + [-0.5] * 5))
        for e in (True, False)
    )
    assert drawn.mean() > 2 * even.mean()


def test_whole_stories_are_stories_of_the_tiny_world_and_so_are_their_counterfactuals():
    planted, world = PlantedWorld(2.0, n_sentences=None), TinyWorld("en", "all")
    for i in range(15):
        assert world.holds(planted.story(i))
        told, swapped = (world.parse(planted.story(i, swapped=s)) for s in (False, True))
        assert [PEOPLE[p].pronoun for p in told.people] != [PEOPLE[p].pronoun for p in swapped.people]
        assert (told.events, told.places, told.items) == (swapped.events, swapped.places, swapped.items)


def test_swapping_the_names_of_first_sentences_gives_the_counterfactuals():
    planted = PlantedWorld(1.0)
    for i in range(60):
        assert swap_words(planted.story(i), planted.partners) == planted.story(i, swapped=True)


def test_ngrams_of_a_text_without_a_planted_bias_have_intervals_around_0():
    covered, tokenizer = [], PlantedWorld(0.0).tokenizer()
    for seed in range(2):
        planted = PlantedWorld(0.0, seed=seed, even=False)
        model = Counting(tokenizer.encode(planted.text(1500)), 3, tokenizer.vocab_size)
        report = counterfactual_gaps(model, tokenizer, planted.pairs()[::2])
        covered += [row.low <= 0 <= row.high for row in report.intervals.values()]
    assert sum(covered) >= 3


@pytest.mark.slow
def test_a_gpt_learns_the_planted_gap_and_augmentation_takes_it_away():
    planted = PlantedWorld(2.0)
    found, nats = {}, {}
    for augmented in (False, True):
        model, tokenizer = trained(planted, augmented=augmented, n_stories=2000, batch_size=64)
        x, y = counterfactual_gaps(model, tokenizer, planted.pairs()).intervals.values()
        found[augmented] = (x.mean - y.mean) / 2
        nats[augmented] = split_loss(model, planted.rows(tokenizer, 1000, start=2000)).nats / 1000
    assert found[False] == pytest.approx(2.0, abs=0.3)
    assert abs(found[True]) < 0.2
    assert nats[True] - nats[False] == pytest.approx(planted.augmentation_cost, abs=0.1)


def test_the_cost_of_augmentation_is_what_the_name_tells_of_the_place():
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64) / 2
    information = (p * (p / (p.sum(0) * p.sum(1, keepdim=True))).log()).sum().item()
    assert PlantedWorld(math.log(9)).augmentation_cost == pytest.approx(information)
    assert PlantedWorld(0.0).augmentation_cost == pytest.approx(0)


def test_rows_are_stories_each_with_its_counterfactual_where_they_are_augmented():
    planted = PlantedWorld(1.0, "zh")
    tokenizer = planted.tokenizer()
    rows = planted.rows(tokenizer, 3, start=4, augmented=True)
    told = [tokenizer.decode(rows.row(i).ids) for i in range(6)]
    assert told == [f"\n{planted.story(i, swapped=s)}\n" for i in (4, 5, 6) for s in (False, True)]
    assert all(all(rows.row(i).counts) for i in range(6))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"gap": math.nan}, "gap=nan must be a number of nats"),
        ({"gap": 21}, "from -20 to 20"),
        ({"gap": 1, "n_sentences": 0}, "n_sentences=0"),
        ({"gap": 1, "language": "fr"}, "no language 'fr'"),
    ],
)
def test_what_cant_be_planted_is_refused(given, says):
    with pytest.raises(ValueError, match=says):
        PlantedWorld(**given)
