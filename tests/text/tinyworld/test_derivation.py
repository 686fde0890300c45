import math
from dataclasses import replace

import pytest

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.derivation import Derivation, Item, choices, derive, log_prob
from minigpt.text.tinyworld.plot import Event
from minigpt.text.tinyworld.world import TinyWorld

KITE, BALL, HAT = (0, 0), (1, 1), (2, 3)
STORY = Derivation(
    events=(
        Event("opening", actor=0, thing=0, place=0),
        Event("friend", actor=1, place=0),
        Event("loose", thing=1, place=1),
        Event("give", 0, 1, 0),
        Event("go", 1, place=1),
        Event("take", 1, thing=1),
        Event("held", 1, thing=0),
    ),
    wordings=(0, 0, 0, 0, 0, 0, 0),
    people=(0, 10),
    items=(KITE, BALL),
    places=(0, 1),
)


def test_the_probabilities_of_all_stories_sum_to_one(small_world):
    assert math.fsum(math.exp(log_prob(story)) for story in small_world()) == pytest.approx(1, abs=1e-12)


def test_the_choices_of_a_story_are_typed_and_in_order():
    kinds = [choice.kind for choice in choices(STORY)]
    assert kinds == (
        ["event", "combination", "place", "wording"]
        + ["event", "person", "wording"]
        + ["event", "item", "place", "wording"]
        + ["event", "wording"] * 4
    )


def test_the_probability_of_a_story_is_the_product_of_its_choices_by_hand():
    opening = 1 / 4000 * 1 / 10 * 1 / 18
    friend = 1 / 2 * 1 / 19 * 1 / 3
    loose = 2 / 5 * 1 / 2 * 1 / 199 * 1 / 9 * 1 / 2
    give = 1 * 1 / 2 * 12 / 19 * 1 / 18  # give 12, go 2, drop 2, find 2, rest 1
    go = 8 / 10 * 1 / 3 * 2 / 19 * 1 / 2 * 1 / 18  # to one of two places
    take = 5 / 10 * 2 / 3 * 12 / 27 * 1 / 18  # take 12, visit 5, call 3, go 2, drop 2, find 2, rest 1
    held = 1 / 2 * 1 / 3
    assert log_prob(STORY) == pytest.approx(math.log(opening * friend * loose * give * go * take * held), abs=1e-12)


def test_a_split_gives_its_own_combinations_more_probability_and_others_none():
    story = TinyWorld(split="validation").derivation(0)
    assert log_prob(story, "validation") > log_prob(story, "all")
    assert log_prob(story, "train") == -math.inf


def test_a_choice_in_the_wrong_split_is_refused():
    story = TinyWorld(split="validation").derivation(0)
    with pytest.raises(ValueError, match=r"combination \(.*\) is not of the split 'train'; use its own split or 'all'"):
        choices(story, "train")


def test_the_scenes_say_who_has_what_and_who_is_where_after_each_sentence():
    anna, tom = words.PEOPLE[0], words.PEOPLE[10]
    kite, ball = Item(words.COLOURS[0], words.THINGS[0]), Item(words.COLOURS[1], words.THINGS[1])
    garden, park = words.PLACES[:2]
    scenes = STORY.scenes()
    assert len(scenes) == len(STORY.events)
    assert scenes[0].where == {anna: garden} and scenes[0].holder == {kite: anna}
    assert [scene.holder[kite] for scene in scenes] == [anna] * 3 + [tom] * 4
    assert [scene.holder[ball] for scene in scenes[2:]] == [None] * 3 + [tom] * 2
    assert scenes[-1].where == {anna: garden, tom: park}
    assert scenes[-1].place == {kite: park, ball: park}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": STORY.events[:-1], "wordings": (0,) * 6}, "6 sentences and no end"),
        ({"events": (*STORY.events[:3], Event("give", 1, 0, 0), STORY.events[-1])}, "cannot follow WorldState"),
        ({"people": (0, 0)}, r"got the words \(0, 0\), expected 2 distinct ones"),
        ({"items": (KITE, BALL, HAT)}, "expected 2 distinct ones"),
        ({"wordings": (0, 0, 0, 18, 0, 0, 0)}, "expected one below each of"),
    ],
)
def test_a_story_that_cannot_be_told_is_refused(changes, message):
    with pytest.raises(ValueError, match=message + ".*; take stories from derive or parse"):
        log_prob(replace(STORY, **changes))


def test_drawing_the_first_of_everything_gives_a_valid_story():
    assert math.isfinite(log_prob(derive(lambda n: 0)))


def test_drawing_the_last_of_everything_gives_a_valid_story():
    assert math.isfinite(log_prob(derive(lambda n: n - 1)))
