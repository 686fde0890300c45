from types import SimpleNamespace

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.generation import Borders, generate
from minigpt.generation.borders import Vocabulary, settled, without_start
from minigpt.text import BPETokenizer, CharTokenizer
from minigpt.text.tinyworld import phrases

LINES = Borders(before="\n", end=("\n",))


class Reader(nn.Module):
    """A model that has read some rows of tokens and nothing else: after tokens that begin none of them it is lost."""

    def __init__(self, rows, vocab_size):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab_size, context_length=max(map(len, rows)))
        self.rows, self.weight = rows, nn.Parameter(torch.zeros(()))
        self.asked = []

    def forward(self, ids):
        row = ids[0].tolist()
        self.asked.append(row)
        following = [each[len(row)] for each in self.rows if each[: len(row)] == row and len(each) > len(row)]
        logits = torch.full((self.config.vocab_size,), -40.0)
        logits[following or slice(None)] = 0.0
        return logits.expand(1, len(row), -1)


@pytest.fixture(scope="module")
def world():
    return mg.TinyWorld()


@pytest.fixture(scope="module")
def stories(world):
    return [world.story(i) for i in range(40)]


@pytest.fixture(scope="module")
def tokenizer(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phrases, "READ", 100)
        return phrases.task_tokenizer("story", world, 600)


@pytest.fixture(scope="module")
def storyteller(stories, tokenizer):
    """Knows the stories as the rows of the task have them: each between line ends."""
    start = tokenizer.encode("\n")
    return Reader([start + tokenizer.encode(story + "\n") for story in stories], tokenizer.vocab_size)


def tell(model, tokenizer, prompt, borders=LINES, **options):
    return generate(model, tokenizer, prompt, max_new_tokens=200, borders=borders, **options)


def test_the_prompt_that_the_demo_prints_becomes_a_whole_story_and_nothing_more(storyteller, tokenizer, stories):
    prompt = stories[0][: stories[0].index(",") + 1]
    assert prompt.count(" ") == 2  # such as "One warm evening,", which ends inside a token
    for seed in range(5):
        told = tell(storyteller, tokenizer, prompt, seed=seed)
        mg.TinyWorld(split="all").parse(told)
        assert told.startswith(prompt) and told in stories
    without = tell(storyteller, tokenizer, prompt, NO)
    assert without not in stories  # the same words, without the border and in other tokens


NO = Borders()


def test_wherever_a_prompt_ends_its_tokens_are_those_of_the_story(storyteller, tokenizer, stories):
    story = stories[0]
    before_a_colour = story.rindex("day, the ") + len("day, the ")  # there the words before it are cut otherwise, too
    for end in [*range(0, len(story) + 1, 9), before_a_colour]:
        told = tell(storyteller, tokenizer, story[:end])
        assert told.startswith(story[:end]) and told in stories, story[:end]


def test_an_empty_prompt_starts_a_document(storyteller, tokenizer, stories):
    assert tell(storyteller, tokenizer, "") in stories
    assert storyteller.asked[-1][0] == tokenizer.encode("\n")[0]


def test_only_what_is_new_counts_as_new_tokens(storyteller, tokenizer, stories):
    story, ids = stories[0], tokenizer.encode(stories[0])
    inside = story[: len(tokenizer.decode(ids[:12])) - 1]  # the end of a token is missing
    for n in range(3):
        told = generate(storyteller, tokenizer, inside, max_new_tokens=n, borders=LINES, temperature=0)
        assert told == (tokenizer.decode(ids[: 11 + n]) if n else inside)


def test_documents_that_begin_the_row_get_nothing_before_them(tokenizer, stories):
    end = tokenizer.special_tokens["<|endoftext|>"]
    model = Reader([[*tokenizer.encode(story), end] for story in stories], tokenizer.vocab_size)
    borders = Borders(before="", end=("<|endoftext|>",))
    assert tell(model, tokenizer, stories[3][:30], borders) in stories
    model = Reader([[end, *tokenizer.encode(story), end] for story in stories], tokenizer.vocab_size)
    borders = Borders(before="<|endoftext|>", end=("<|endoftext|>",))
    assert tell(model, tokenizer, stories[3][:30], borders) in stories
    assert tell(model, tokenizer, "", borders) in stories


def test_the_border_and_the_prompt_are_encoded_as_one_text():
    text = "def f():\n    return 1\n" * 20
    tokenizer = BPETokenizer.train(text, 300)
    apart = tokenizer.encode("\n") + tokenizer.encode("    return")
    together = Borders(before="\n").encode(tokenizer, "    return")
    assert together == tokenizer.encode("\n    return") != apart
    assert Borders(before="\n").encode(tokenizer, "\n    return") == together


def test_a_character_that_is_unknown_is_named_at_its_place_in_the_prompt():
    with pytest.raises(ValueError, match=r"'z' .* at position 1 "):
        Borders(before="\n").encode(CharTokenizer("ab\n"), "az")


def test_characters_are_never_left_open():
    tokenizer = CharTokenizer("ab你好\n")
    assert settled("ab你好", LINES, tokenizer, Vocabulary(tokenizer)) == 5


def test_more_stops_are_added_to_the_ends():
    assert LINES.stopping("x").end == ("\n", "x") and LINES.stopping(["x", "y"]).end == ("\n", "x", "y")
    assert LINES.stopping("x").before == "\n"


def test_unused_ids_and_special_tokens_are_in_no_vocabulary(tokenizer):
    class Gaps:
        vocab_size, special_tokens = 4, {"<|endoftext|>": 3}

        def token_bytes(self, token):
            if token == 1:
                raise ValueError("unused")
            return b"abc"[token : token + 1]

    assert Vocabulary(Gaps()).ids == {b"a": 0, b"c": 2}
    assert list(Vocabulary(tokenizer).starting_with(b"<|endo")) == []


def test_the_start_of_a_stream_is_left_out_by_bytes():
    assert list(without_start([b"ab", b"cd", b"e"], 3)) == [b"d", b"e"]
    assert list(without_start([b"ab"], 0)) == [b"ab"]
    assert list(without_start([b"ab"], 2)) == []
