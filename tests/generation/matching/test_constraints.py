import re
from bisect import bisect_left as bisect
from typing import ClassVar

import pytest
import regex
import torch

import minigpt as mg
from minigpt.generation.matching.constraints import Spelling
from minigpt.generation.matching.pattern import text_pattern
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
        assert regex.fullmatch(pattern, text.removeprefix("the ")), text


def test_a_list_gives_one_of_its_texts(tokenizer):
    options = ["yes", "no", "maybe not.", "12 cats?"]
    drawn = {mg.generate(model_of(tokenizer), tokenizer, "the ", match=options, seed=seed)[4:] for seed in range(60)}
    assert drawn == set(options)


def test_the_tokens_that_lead_on_are_those_of_trying_each(tokenizer):
    pattern, spelling = text_pattern(r"([0-9]+ (cat|dog)s?|the [a-z]+)"), Spelling(tokenizer)
    special = set(tokenizer.special_tokens.values())
    for text in ["", "1", "12 ", "12 cat", "the ", "the m", "the mat"]:
        expected = []
        for token in set(range(tokenizer.vocab_size)) - special:
            try:
                added = tokenizer.token_bytes(token).decode()
            except UnicodeDecodeError:
                continue
            expected += [token] if pattern.compiled.fullmatch(text + added, partial=True) else []
        assert sorted(spelling.leading_on(text.encode(), pattern.begins)) == sorted(expected)


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
        mg.generate(model_of(tokenizer), tokenizer, "the ", match="[0-9]+", stop="<|endoftext|>", seed=seed)[4:]
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


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [
        ("你好|世界", ""),
        ("天[一-龥]地", "天"),
        (r"\p{Han}{2}", "世"),
        ("[😀-😎]é", ""),
        (r"(.)\1", "宙"),
        ("(?i)É+", "é"),
        ("(?V1)[[À-ɏ]--[é]]", ""),
    ],
)
def test_characters_without_a_token_are_written_byte_by_byte(pattern, whole):
    tokenizer = BPETokenizer.train(TEXT, vocab_size=260)
    texts = {mg.generate(model_of(tokenizer), tokenizer, "the ", match=pattern, seed=seed)[4:] for seed in range(8)}
    assert all(regex.fullmatch(pattern, text) for text in texts)
    compiled, ours = regex.compile(pattern), text_pattern(pattern)
    for part in [b"\xc3", b"\xe4", b"\xe4\xbd", b"\xe5\xae", b"\xed", b"\xf0\x9f", b"\xf0\x9f\x98", b"\xe0\xa4"]:
        may_follow = [c for c in map(chr, range(0x80, 0x20000)) if is_character(c) and c.encode().startswith(part)]
        expected = any(compiled.fullmatch(whole + c, partial=True) for c in may_follow)
        assert ours.begins(whole.encode() + part) == expected, part


def is_character(c):
    return not 0xD800 <= ord(c) < 0xE000


def test_a_tokenizer_that_cannot_write_every_character_has_no_parts_of_one():
    bpe = BPETokenizer.train(TEXT, vocab_size=260)

    class WithoutOneByte:
        special_tokens: ClassVar[dict[str, int]] = {}
        vocab_size = bpe.vocab_size

        def token_bytes(self, token):
            if bpe.token_bytes(token) == b"\x80":
                raise ValueError("unused")
            return bpe.token_bytes(token)

    assert b"\xe4" in Spelling(bpe).tokens
    assert b"\xe4" not in Spelling(WithoutOneByte()).tokens


@pytest.mark.parametrize("bytes_", [b"\xff", b"a\x80", b"\xed\xa0", b"\xf4\x90", b"\xc0\xae", b"\xe4a"])
def test_bytes_that_are_no_text_begin_nothing(bytes_):
    assert not text_pattern("(?s).*").begins(bytes_)
    assert not text_pattern("(?s).*").matches(bytes_)


def test_a_list_of_ten_thousand_costs_no_more_than_its_few_comparisons(monkeypatch):
    words = [f"{n:x} items" for n in range(10_000)]
    ours, asked = text_pattern("|".join(words)), []
    monkeypatch.setattr(
        "minigpt.generation.matching.pattern.bisect_left", lambda *given: asked.append(1) or bisect(*given)
    )
    found = set(Spelling(CharTokenizer.train("".join(words))).leading_on(b"ab", ours.begins))
    assert len(found) == 17 and len(asked) <= 40
    assert ours.matches(b"ab items") and not ours.matches(b"ab item") and ours.begins(b"ab it")


@pytest.mark.parametrize("prompts", ["the ", ["the ", "on "]])
def test_a_match_of_nothing_is_a_match(tokenizer, prompts):
    model = model_of(tokenizer)
    assert mg.generate(model, tokenizer, prompts, match="a*") == prompts  # no end token decides otherwise
    assert mg.generate(model, tokenizer, prompts, match="a*|b", max_new_tokens=0) == prompts


def test_a_text_that_must_match_is_never_cut_by_a_stop(tokenizer):
    for seed in range(20):
        text = mg.generate(model_of(tokenizer), tokenizer, "the ", match="[a-z]{2,6}", stop=["t", "es"], seed=seed)[4:]
        assert re.fullmatch("[a-z]{2,6}", text) and "t" not in text and "es" not in text
    with pytest.raises(ValueError, match=r"leads on|begins"):
        mg.generate(model_of(tokenizer), tokenizer, "the ", match="at", stop="t")


def test_a_stop_that_is_a_token_decides_where_the_text_ends():
    tokenizer = CharTokenizer.train(TEXT)
    lengths = {
        len(mg.generate(model_of(tokenizer), tokenizer, "the ", match="[a-z]+", stop="t", seed=seed))
        for seed in range(20)
    }
    assert len(lengths) > 2


def test_an_ended_row_waits_for_the_others(tokenizer):
    prompts, match = ["the ", "on ", "no "], r"o|[a-z ]{9}"
    texts = mg.generate(model_of(tokenizer), tokenizer, prompts, match=match, seed=3, logit_bias={})
    alone = [mg.generate(model_of(tokenizer), tokenizer, p, match=match, seed=3 + i) for i, p in enumerate(prompts)]
    assert texts == alone and len({len(text) for text in texts}) > 1


@pytest.mark.parametrize("pattern", [r"(?=.*\d)[a-z\d]{5}", "(?!no)[a-z]{3}", "(?r)ab"])
def test_what_looks_ahead_is_refused(pattern):
    with pytest.raises(ValueError, match="looks ahead or runs backwards"):
        mg.Sampler(match=pattern)


@pytest.mark.parametrize("pattern", [r"[(?=]+", r"\(?=", "[(?!)]"])
def test_what_only_resembles_it_is_not(pattern):
    mg.Sampler(match=pattern)


def test_a_pattern_that_explodes_is_stopped(monkeypatch):
    monkeypatch.setattr("minigpt.generation.matching.pattern.MATCH_SECONDS", 0.05)
    with pytest.raises(ValueError, match="nested repetitions"):
        text_pattern("(a|aa)+b").matches(b"a" * 60)


def test_what_is_forbidden_and_must_be_written_is_told_as_that(tokenizer):
    model = model_of(tokenizer)
    forbidden = {
        i: -float("inf") for text in ("y", "n", "no", "yes") if len(ids := tokenizer.encode(text)) == 1 for i in ids
    }
    with pytest.raises(
        ValueError, match="no token can follow; loosen what logit_bias forbids or what the text must match"
    ):
        mg.generate(model, tokenizer, "the ", match="yes|no", logit_bias=forbidden)


@pytest.mark.parametrize(
    "given", [{"match": "a\ud800"}, {"match": ["a\ud800"]}, {"match": "[a\ud800]"}, {"stop": "a\ud800"}]
)
def test_half_a_character_is_refused(tokenizer, given):
    with pytest.raises(ValueError, match=f"^{next(iter(given))} has a lone surrogate U\\+D800"):
        mg.generate(model_of(tokenizer), tokenizer, "the ", **given)
