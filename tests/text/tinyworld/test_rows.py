import pytest

from minigpt.text import BPETokenizer, CharTokenizer
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.text.tinyworld import TASKS, Part, TinyWorld, encode_parts, task_rows

WORLDS = {name: TinyWorld("both", seed=13) for name in TASKS}
NAMES = list(TASKS)


def text(parts):
    return "".join(part.text for part in parts)


def tokenizer_of(task):
    return BPETokenizer.train("".join(text(TASKS[task].example(WORLDS[task], i)) for i in range(50)), 600)


@pytest.mark.parametrize("task", NAMES)
def test_of_a_row_the_answers_count_and_nothing_else(task):
    tokenizer = tokenizer_of(task)
    rows = task_rows(task, WORLDS[task], tokenizer, 512, 8)
    for i, (inputs, targets) in enumerate(rows.windows(1)):
        parts = TASKS[task].example(WORLDS[task], i)
        counted = targets[0][targets[0] != IGNORED_TARGET].tolist()
        assert tokenizer.decode(counted) == text(part for part in parts if part.kind)
        assert tokenizer.decode([*inputs[0].tolist(), counted[-1]]) == text(parts)


def test_what_is_too_long_loses_its_beginning_and_keeps_its_answers():
    tokenizer = CharTokenizer.train(text(part for i in range(200) for part in TASKS["qa"].example(TinyWorld(), i)))
    whole = task_rows("qa", TinyWorld(), tokenizer, 512, 1)
    cut = task_rows("qa", TinyWorld(), tokenizer, 150, 1)
    (inputs, targets), (cut_inputs, cut_targets) = (next(rows.windows(1)) for rows in (whole, cut))
    assert inputs.shape[1] > 150
    assert cut_inputs.tolist() == inputs[:, -150:].tolist()
    assert cut_targets.tolist() == targets[:, -150:].tolist()


def test_the_parts_are_encoded_as_they_will_be_when_the_model_is_asked():
    """Each part by itself: a token never reaches from what is given into the answer."""
    tokenizer = CharTokenizer.train("Answer: Tom\n")
    ids, answers = encode_parts([Part("Answer:"), Part(" Tom\n", "who")], tokenizer)
    assert ids == tokenizer.encode("Answer: Tom\n")
    assert answers == [("who", 7, 12)]


def test_splits_and_seeds_have_rows_of_their_own():
    tokenizer = tokenizer_of("qa")
    worlds = (TinyWorld(), TinyWorld(seed=1), TinyWorld(split="test"), TinyWorld("zh"))
    fingerprints = {task_rows("qa", world, tokenizer, 512).fingerprint for world in worlds}
    assert len(fingerprints) == 4
    assert task_rows("qa", TinyWorld(), tokenizer, 512).fingerprint in fingerprints


def test_the_floor_of_a_story_is_its_entropy_and_that_of_one_right_answer_is_nothing():
    world = TinyWorld(split="validation")
    tokenizer = CharTokenizer.train(world.text(2000))
    floor = task_rows("story", world, tokenizer, 512, 5).floor
    assert floor == pytest.approx(world.floor().nats_per_character, rel=0.01)
    assert task_rows("qa", world, tokenizer_of("qa"), 512, 5).floor == 0
    assert task_rows("story", world, tokenizer, 512).floor is None


def test_a_story_in_one_of_two_languages_has_the_floor_of_both_together():
    world = TinyWorld("both", split="validation")
    tokenizer = CharTokenizer.train(world.text(2000))
    both = world.floor()
    assert task_rows("story", world, tokenizer, 512, 5).floor == pytest.approx(
        2 * both.nats / both.characters, rel=0.01
    )
