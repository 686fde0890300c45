import re
import struct

import pytest
from follower import Follower

from minigpt.text import CharTokenizer
from minigpt.text.tinyworld.world import TinyWorld


def test_nobody_does_what_cannot_be_done_and_the_end_is_true():
    for story in TinyWorld(seed=3).text(2000).splitlines():
        Follower().read(story)


def test_the_last_scene_is_what_a_reader_of_the_words_knows():
    world = TinyWorld(seed=4)
    for i in range(500):
        reader, scene = Follower().read(world.story(i)), world.derivation(i).scenes()[-1]
        assert reader.where == {person.en: place.en for person, place in scene.where.items()}
        assert reader.holder == {
            f"{item.colour.en} {item.thing.en}": holder and holder.en for item, holder in scene.holder.items()
        }


def test_a_story_has_four_to_eight_sentences():
    lengths = {story.count(".") for story in TinyWorld().text(1000).splitlines()}
    assert lengths == set(range(4, 9))


def test_train_validation_and_test_share_no_combination():
    opening = re.compile(r"(?m)^One .*?, (\w+) was .*? with an? (\w+) (\w+)\.")
    train, validation, test = (
        set(opening.findall(TinyWorld(split=s).text(10_000))) for s in ("train", "validation", "test")
    )
    assert not (train & validation or train & test or validation & test)
    assert len(train) > 1900 and len(validation) > 900 and len(test) > 900


def test_a_story_depends_on_its_number_alone():
    world = TinyWorld(seed=5)
    assert [world.story(i) for i in (7, 3, 7)] == [TinyWorld(seed=5).story(i) for i in (7, 3, 7)]


def test_a_story_is_the_same_in_every_process_and_version():
    assert TinyWorld(split="test", seed=1).story(0) == (
        "One rainy afternoon, Clara was at the market with a white blanket. Tom was playing at the market too. "
        "A little later, he looked around at the market and came across a purple bag. Later he sat down at the market "
        "and handed it to Clara. Then Clara sat down at the market and took a nap. In the end, the white blanket was "
        "with Clara at the market."
    )


def test_the_chinese_story_is_the_translation_of_the_english_one():
    english, chinese = TinyWorld("en"), TinyWorld("zh")
    assert all(english.derivation(i) == chinese.parse(chinese.story(i)) for i in range(20))


@pytest.mark.parametrize("other", [TinyWorld(seed=1), TinyWorld(split="test"), TinyWorld(split="all")])
def test_another_seed_or_split_gives_other_stories(other):
    assert set(other.text(50).splitlines()).isdisjoint(TinyWorld().text(50).splitlines())


def test_a_text_is_its_stories_one_a_line():
    world = TinyWorld()
    assert world.text(3, start=5) == "".join(world.story(i) + "\n" for i in (5, 6, 7))


def test_in_both_languages_a_story_is_two_lines():
    world = TinyWorld("both")
    assert world.story(4).split("\n") == [TinyWorld("en").story(4), TinyWorld("zh").story(4)]
    assert world.parse(world.story(4)) == world.derivation(4)
    assert world.log_prob(world.story(4)) == TinyWorld("en").log_prob(TinyWorld("en").story(4))


def test_the_floor_of_both_languages_has_the_nats_of_one_and_the_characters_of_two():
    both, english, chinese = (TinyWorld(language).floor() for language in ("both", "en", "zh"))
    assert both.nats == english.nats == chinese.nats
    assert both.characters == pytest.approx(english.characters + chinese.characters)


def test_a_floor_counts_the_tokens_of_a_tokenizer():
    world = TinyWorld()
    floor = world.floor(CharTokenizer.train(world.text(50)), n_stories=50)
    assert floor.tokens == len(world.text(50)) / 50


def test_a_story_of_another_split_has_no_probability():
    assert TinyWorld(split="train").log_prob(TinyWorld(split="test").story(0)) == -float("inf")


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TinyWorld("fr"), "no language 'fr'; choose en, zh or both"),
        (lambda: TinyWorld(split="dev"), "no split 'dev'; choose train, validation, test, all"),
        (lambda: TinyWorld().story(-1), "no story -1; stories are numbered from 0"),
        (lambda: TinyWorld().text(0), "n_stories=0 must be at least 1"),
        (lambda: TinyWorld().parse(TinyWorld().text(2)), "got 2 lines, expected 1; parse one story at a time"),
        (lambda: TinyWorld("both").parse(TinyWorld().story(0)), "got 1 lines, expected 2"),
        (
            lambda: TinyWorld("both").parse(TinyWorld("en").story(0) + "\n" + TinyWorld("zh").story(1)),
            "tell different stories; give a story and its translation",
        ),
    ],
)
def test_bad_input_is_refused_with_a_mend(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize("highest", [True, False])
def test_64_random_numbers_are_enough_for_any_story(highest, monkeypatch):
    draws = struct.pack("<64Q", *[2**64 - 1 if highest else 0] * 64)
    monkeypatch.setattr("hashlib.shake_128", lambda name: type("Hash", (), {"digest": lambda self, n: draws[:n]})())
    assert TinyWorld().story(0)
