import re

import pytest
import torch

import minigpt as mg
from minigpt.generation.matching.constraints import Spelling
from minigpt.generation.matching.pattern import TextPattern
from minigpt.text import BPETokenizer, CharTokenizer

TEXT = "the cat sat on the mat 12 times, 345 cats and 6 dogs; yes or no? no, maybe not. " * 4


@pytest.fixture(params=["characters", "byte pairs"])
def tokenizer(request):
    if request.param == "characters":
        return CharTokenizer.train(TEXT)
    return BPETokenizer.train(TEXT, vocab_size=320)


def model_of(tokenizer, seed=0):
    config = mg.GPTConfig(vocab_size=tokenizer.vocab_size, context_length=16, d_model=16, n_layers=1, n_heads=2)
    return mg.GPT(config, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pattern", [r"\d{2,4}", r"(the|on) [a-d]*s?at\.", r"[^e]{3}e", r"no|not|maybe \d", "(?i)YES"])
def test_what_is_drawn_matches(tokenizer, pattern):
    model = model_of(tokenizer)
    for seed in range(20):
        text = mg.generate(model, tokenizer, "the ", match=pattern, seed=seed, max_new_tokens=60)
        assert re.fullmatch(pattern, text.removeprefix("the ")), text


def test_a_list_gives_one_of_its_texts(tokenizer):
    options = ["yes", "no", "maybe not.", "12 cats?"]
    drawn = {mg.generate(model_of(tokenizer), tokenizer, "the ", match=options, seed=seed)[4:] for seed in range(60)}
    assert drawn == set(options)


def test_the_tokens_that_lead_on_are_those_of_trying_each(tokenizer):
    pattern, spelling = TextPattern(r"(\d+ (cat|dog)s?|the [a-z]+)"), Spelling(tokenizer)
    special = set(tokenizer.special_tokens.values())
    for text in ["", "1", "12 ", "12 cat", "the ", "the m", "the mat"]:
        expected = []
        for token in set(range(tokenizer.vocab_size)) - special:
            try:
                added = tokenizer.token_bytes(token).decode()
            except UnicodeDecodeError:
                continue
            expected += [token] if pattern.compiled.fullmatch(text + added, partial=True) else []
        assert sorted(spelling.leading_on(text, pattern)) == sorted(expected)


def test_each_step_has_the_models_distribution_over_what_is_allowed():
    tokenizer = CharTokenizer.train("abc")
    model, draws = model_of(tokenizer, 3), 1000
    ids = torch.tensor([tokenizer.encode("ab")])
    p = model(ids)[0, -1].detach().softmax(-1)[tokenizer.encode("ac")]
    p = p / p.sum()
    drawn = [mg.generate(model, tokenizer, "ab", match="[ac]", seed=seed)[-1] for seed in range(draws)]
    share = drawn.count("a") / draws
    assert abs(share - float(p[0])) < 4 * float((p[0] * p[1] / draws).sqrt())


def test_several_prompts_match_each_for_itself(tokenizer):
    model, prompts = model_of(tokenizer), ["the ", "on ", "no "]
    texts = mg.generate(model, tokenizer, prompts, match=r"\d{1,3}(cat|dog)", seed=4)
    alone = [mg.generate(model, tokenizer, p, match=r"\d{1,3}(cat|dog)", seed=4 + i) for i, p in enumerate(prompts)]
    assert texts == alone
    assert all(re.fullmatch(r"\d{1,3}(cat|dog)", t.removeprefix(p)) for t, p in zip(texts, prompts, strict=True))


def test_an_end_token_decides_where_a_match_may_go_on():
    tokenizer = BPETokenizer.train(TEXT, vocab_size=300, special_tokens=("<|endoftext|>",))
    texts = {
        mg.generate(model_of(tokenizer), tokenizer, "the ", match=r"\d+", stop="<|endoftext|>", seed=seed)[4:]
        for seed in range(30)
    }
    assert all(text.isdigit() for text in texts) and len({len(text) for text in texts}) > 2


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"match": "(a"}, "not a regular expression: missing \\) at position 2"),
        ({"match": []}, r"regular expression or a list of texts, got \[\]"),
        ({"match": ["a", ""]}, "has '' in its list"),
        ({"match": 7}, "match must be .*, got 7"),
        ({"match": "\u00e9"}, "begins a match"),
        ({"match": "t\u00e9"}, "leads on to a match"),
        ({"match": "t{30}", "max_new_tokens": 5}, "'ttttt' is only the beginning of a match"),
    ],
)
def test_what_cannot_match_is_refused(settings, why):
    tokenizer = CharTokenizer.train(TEXT)
    with pytest.raises(ValueError, match=why):
        mg.generate(model_of(tokenizer), tokenizer, "the ", **settings)


def test_a_pattern_that_explodes_is_stopped(monkeypatch):
    monkeypatch.setattr("minigpt.generation.matching.pattern.MATCH_SECONDS", 0.05)
    with pytest.raises(ValueError, match="nested repetitions"):
        TextPattern("(a|aa)+b").matches("a" * 60)
