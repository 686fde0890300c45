from types import SimpleNamespace

import pytest
import torch

from minigpt.generation import Borders, Sampler, generate, stream
from minigpt.generation.text import stream_text
from minigpt.model import GPT, GPTConfig
from minigpt.text import BPETokenizer, CharTokenizer


def test_the_continuation_is_what_the_model_knows_by_heart(reciter, tokenizer):
    model = reciter("To be, or not to be")
    assert generate(model, tokenizer, "To be", max_new_tokens=14) == "To be, or not to be"


def test_the_stream_is_the_continuation_without_the_prompt(table_model, tokenizer):
    model, settings = table_model(vocab_size=257), {"max_new_tokens": 30, "seed": 3}
    assert "a" + "".join(stream(model, tokenizer, "a", **settings)) == generate(model, tokenizer, "a", **settings)


def test_a_piece_never_ends_inside_a_character(reciter, tokenizer):
    assert list(stream(reciter("é語🙂!"), tokenizer, "é", max_new_tokens=8)) == ["語", "🙂", "!"]


def test_the_same_seed_gives_the_same_text_and_another_seed_another(table_model, tokenizer):
    model = table_model(vocab_size=257)
    first, again, other = (generate(model, tokenizer, "a", max_new_tokens=30, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_generation_leaves_the_global_generator_alone(table_model, tokenizer):
    before = torch.get_rng_state()
    generate(table_model(vocab_size=257), tokenizer, "a", max_new_tokens=3)
    assert before.equal(torch.get_rng_state())


@pytest.mark.parametrize("knob", [{"temperature": 0}, {"top_k": 2}, {"top_p": 0.2}, {"max_new_tokens": 5}])
def test_each_knob_reaches_the_text(table_model, tokenizer, knob):
    model, plain = table_model(vocab_size=257), {"max_new_tokens": 30}
    assert generate(model, tokenizer, "a", **{**plain, **knob}) != generate(model, tokenizer, "a", **plain)


def test_a_prompt_longer_than_the_context_is_kept_whole_in_the_text(table_model, tokenizer):
    model = table_model(vocab_size=257, context_length=4)
    assert generate(model, tokenizer, "a long prompt", max_new_tokens=2).startswith("a long prompt")
    assert {length for length, _ in model.calls} == {4}


def test_an_empty_prompt_starts_from_the_end_of_text_token(reciter, tokenizer):
    model = reciter([256, *b"Once"])
    assert generate(model, tokenizer, "", max_new_tokens=4) == "Once"


def test_an_empty_prompt_without_such_a_token_is_refused(reciter, tokenizer):
    tokenizer.special_tokens = {}
    with pytest.raises(
        ValueError, match=r"the prompt is empty and the tokenizer has no <\|endoftext\|>.*; give the first words"
    ):
        generate(reciter("a"), tokenizer, "")


@pytest.mark.parametrize("stop", ["not", ["not"], ["xyz", "not"]])
def test_the_text_is_cut_before_the_stop_string(reciter, tokenizer, stop):
    model = reciter("To be, or not to be")
    assert generate(model, tokenizer, "To be", max_new_tokens=14, stop=stop) == "To be, or "


def test_a_stop_string_in_the_prompt_does_not_stop(reciter, tokenizer):
    assert generate(reciter("be, or be"), tokenizer, "be", max_new_tokens=7, stop="be") == "be, or "


def test_the_name_of_a_special_token_stops_at_the_token(reciter, tokenizer):
    model = reciter([*b"end", 256, *b"next"])
    assert generate(model, tokenizer, "e", max_new_tokens=7, stop="<|endoftext|>") == "end"


def test_the_name_of_a_special_token_stops_where_it_is_spelled_out(reciter, tokenizer):
    """As a model spells it that has read the name as ordinary text."""
    spelled = reciter("end<|endoftext|>of it")
    assert generate(spelled, tokenizer, "e", max_new_tokens=20, stop="<|endoftext|>") == "end"


def test_a_special_token_that_is_not_a_stop_is_shown_by_its_name(reciter, tokenizer):
    assert generate(reciter([*b"a", 256, *b"b"]), tokenizer, "a", max_new_tokens=2) == "a<|endoftext|>b"


def test_an_empty_stop_string_is_refused(reciter, tokenizer):
    with pytest.raises(ValueError, match=r"stop=\('', 'a'\) holds an empty string"):
        stream(reciter("a"), tokenizer, "a", stop=("", "a"))


def test_a_tokenizer_larger_than_the_model_is_refused_naming_both(table_model, tokenizer):
    with pytest.raises(ValueError, match="the tokenizer has 257 tokens but the model has 7"):
        stream(table_model(vocab_size=7), tokenizer, "a")


def test_a_token_that_the_tokenizer_does_not_know_is_named(reciter, tokenizer):
    model = reciter([*b"a", 300], vocab_size=301)
    with pytest.raises(ValueError, match="the model chose token id 300 but the tokenizer has 257 tokens"):
        generate(model, tokenizer, "a", max_new_tokens=1)


@pytest.mark.parametrize("write", [generate, stream])
@pytest.mark.parametrize(
    ("knob", "named"),
    [
        ({"temperature": -1}, "temperature=-1.0 must be finite"),
        ({"top_k": 0}, "top_k=0 must be at least 1"),
        ({"top_k": 258}, "top_k=258 is more than the vocabulary of 257 tokens"),
        ({"top_p": 2}, "top_p=2.0 must be above 0"),
        ({"max_new_tokens": -1}, "max_new_tokens=-1 must be a whole number from 0 to"),
        ({"max_new_tokens": 10**20}, "max_new_tokens=1(0{20}) must be a whole number from 0 to"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be int, got 2.5"),
        ({"seed": 2**64}, "seed=18446744073709551616 must be a whole number from -9,223,372,036,854,775,808 to"),
        ({"seed": -(2**63) - 1}, "seed=-9223372036854775809 must be a whole number from"),
        ({"seed": True}, "seed must be int, got True"),
        ({"borders": "x"}, "borders must be Borders, got 'x'"),
        ({"stop": 5}, "stop must be a text or a list of texts, got 5"),
    ],
)
def test_settings_are_checked_at_the_call_and_not_at_the_first_piece(table_model, tokenizer, write, knob, named):
    model = table_model(vocab_size=257)
    with pytest.raises(ValueError, match=named):
        write(model, tokenizer, "a", **knob)
    assert model.calls == []


@pytest.mark.parametrize("seed", [-(2**63), 2**64 - 1])
def test_every_seed_of_a_generator_gives_a_text(table_model, tokenizer, seed):
    assert len(generate(table_model(vocab_size=257), tokenizer, "a", seed=seed, max_new_tokens=3, top_k=1)) > 1


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (None, r"Embedding has no config\.vocab_size and no config\.context_length"),
        (SimpleNamespace(vocab_size=257), r"Embedding has no config\.context_length, which generation needs; give"),
    ],
)
def test_a_module_without_a_configuration_is_told_what_it_needs(tokenizer, config, named):
    model = torch.nn.Embedding(257, 257)
    model.config = config
    with pytest.raises(ValueError, match=named):
        generate(model, tokenizer, "a")


def test_a_sampler_writes_what_its_keywords_write(table_model, tokenizer):
    model, settings = table_model(vocab_size=257), {"temperature": 1.5, "top_k": 9, "top_p": 0.8}
    pieces = stream_text(model, tokenizer, "a", Sampler(**settings), max_new_tokens=30, seed=3)
    assert "a" + "".join(pieces) == generate(model, tokenizer, "a", **settings, max_new_tokens=30, seed=3)


@pytest.mark.parametrize("kind", [CharTokenizer, BPETokenizer])
def test_the_real_model_and_tokenizers_generate(kind):
    text = "hello, world – 你好 " * 9
    real = CharTokenizer.train(text) if kind is CharTokenizer else BPETokenizer.train(text, vocab_size=270)
    config = GPTConfig(vocab_size=real.vocab_size, context_length=8, d_model=8, n_layers=1, n_heads=2)
    model = GPT(config, generator=torch.Generator().manual_seed(0))
    assert generate(model, real, "hello", max_new_tokens=20).startswith("hello")


PROMPTS = ["hello", "the world, the world", "a", ""]
BORDERS = [Borders(), Borders(before="<|endoftext|>", end=("<|endoftext|>", "\n"))]


@pytest.mark.parametrize("borders", BORDERS, ids=["none", "document"])
@pytest.mark.parametrize("stop", [(), ("he", "ld, wo")])
def test_several_prompts_are_continued_as_each_alone_with_the_next_seed(tokenizer, borders, stop):
    generator = torch.Generator().manual_seed(0)
    config = GPTConfig(vocab_size=257, context_length=40, d_model=8, n_layers=1, n_heads=2, init_std=0.4)
    model = GPT(config, generator=generator)
    settings = {"max_new_tokens": 30, "top_k": 40, "stop": stop, "borders": borders}
    together = generate(model, tokenizer, PROMPTS, seed=5, **settings)
    assert together == [generate(model, tokenizer, p, seed=5 + i, **settings) for i, p in enumerate(PROMPTS)]
    assert len({len(text) for text in together}) > 1


def test_a_text_that_has_met_its_stop_is_not_computed_further(reciter, tokenizer, monkeypatch):
    model, rows = reciter("be, not or be" * 9), []
    monkeypatch.setattr(model, "forward", lambda ids: rows.append(len(ids)) or type(model).forward(model, ids))
    assert generate(model, tokenizer, ["be", "be, not"], max_new_tokens=20, stop="or") == ["be, not ", "be, not "]
    assert len(rows) == 2 * 3 + 5  # a model without a cache gets the rows of a ragged batch one by one


@pytest.mark.parametrize("prompts", [[], ["a", 3], 3, None])
def test_prompts_that_are_no_texts_are_refused(table_model, tokenizer, prompts):
    with pytest.raises(ValueError, match="the prompt must be a text or a list of texts, at least one of them; got"):
        generate(table_model(vocab_size=257), tokenizer, prompts)
