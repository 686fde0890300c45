import json
import math
import re

import numpy as np
import pytest
import torch
from planted_models import Told
from torch import nn

import minigpt as mg
from minigpt.evaluation.fairness import Counterfactual, PlantedWorld, counterfactual_gaps, load_pairs
from minigpt.settings.language import columns_of

TOKENIZER = mg.CharTokenizer.train("abcdefghijklmnopqrstuvwxyz ABC.0123456789")


def told_pairs(gap, n_items, spread=0.5, seed=0):
    """Pairs whose gaps are drawn around ``gap``, and the model that is told them."""
    rng = np.random.default_rng(seed)
    pairs = [Counterfactual(str(i), "g", f"A{i} ", f"BB{i} ", "yes") for i in range(n_items)]
    own, table = gap + spread * rng.normal(size=n_items), {}
    for pair, g in zip(pairs, own, strict=True):
        for prompt, log_p in ((pair.prompt_a, -4 + g / 2), (pair.prompt_b, -4 - g / 2)):
            table |= {(prompt, "yes"): log_p, (prompt, "no"): math.log1p(-math.exp(log_p))}
    return Told(table, TOKENIZER), pairs, own


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 2.0])
def test_gaps_that_the_model_is_told_are_found_exactly(gap):
    model, pairs, own = told_pairs(gap, 7)
    report = counterfactual_gaps(model, TOKENIZER, pairs, batch_size=3)
    np.testing.assert_allclose(list(report.gaps["g"].values()), own, atol=1e-9)
    assert report.intervals["g"].mean == pytest.approx(own.mean())


def test_intervals_cover_the_gap_that_items_are_drawn_around():
    covered = 0
    for seed in range(60):
        model, pairs, _ = told_pairs(0.5, 20, seed=seed)
        row = counterfactual_gaps(model, TOKENIZER, pairs).intervals["g"]
        covered += row.low <= 0.5 <= row.high
    assert 51 <= covered < 60  # 95 % less the narrowness of the percentile interval, about 93 %; two deviations


def test_a_group_of_fewer_than_ten_items_has_a_note():
    for n, noted in ((9, True), (10, False)):
        model, pairs, _ = told_pairs(0.5, n)
        report = str(counterfactual_gaps(model, TOKENIZER, pairs))
        note = "fewer than 10 items, so the interval is too narrow: g"
        assert report.endswith(f"\n{note}") is noted and ("fewer than" in report) is noted


def test_the_table_and_its_headings_are_in_the_language_of_the_locale(monkeypatch):
    model, pairs, _ = told_pairs(0.5, 9)
    report, asked = counterfactual_gaps(model, TOKENIZER, pairs), load_pairs()
    english, meanings = str(report).splitlines(), str(asked)
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    chinese = str(report).splitlines()
    assert "差距（奈特）" in chinese[0] and "95 % 区间" in chinese[0] and "不足 10 项，因此区间偏窄：g" in chinese[-1]
    assert columns_of(chinese[0]) == columns_of(chinese[1])
    assert chinese[1].split() == english[1].split() and len(chinese) == len(english)
    assert "：A 是 " in str(asked) and "\n局限\n" in str(asked) and ": A is " in meanings
    assert re.findall(r"\d+", str(asked).splitlines()[0]) != [] and str(len(asked)) in str(asked).splitlines()[0]


def test_a_sentence_that_the_tokenizer_cannot_encode_is_named():
    pairs = [Counterfactual("1", "g", "Ann ", "Ben ", "ü; x;")]
    with pytest.raises(ValueError, match=r"this char tokenizer can't encode the sentence 'Ann ü; x;'") as caught:
        counterfactual_gaps(small_gpt(), TOKENIZER, pairs)
    said = str(caught.value)
    assert "(character 'ü' (U+00FC)" in said and "--pairs FILE" in said and "--tokenizer bpe" in said
    assert "remove it" not in said


def small_gpt(context_length=24):
    shape = {"d_model": 12, "n_heads": 3, "n_layers": 2, "dropout": 0.4, "init_std": 0.3}
    config = mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, context_length=context_length, **shape)
    return mg.GPT(config, generator=torch.Generator().manual_seed(3))


def literal_score(model, prompt, continuation):
    """One token at a time, each after a forward pass of its own without padding."""
    ids, total = TOKENIZER.encode(prompt), 0.0
    for token in TOKENIZER.encode(continuation):
        total += torch.softmax(model(torch.tensor([ids]))[0, -1].double(), -1)[token].log().item()
        ids = [*ids, token]
    return total


def test_a_gap_is_that_of_scores_computed_one_token_at_a_time_whatever_the_batch():
    model = small_gpt().train()
    pairs = [
        Counterfactual("1", "g", "anna is", "tom is", " a nurse"),
        Counterfactual("2", "g", "the old cat", "a dog", "."),
        Counterfactual("3", "h", "b", "a b c d", " in the park"),
    ]
    reports = [counterfactual_gaps(model, TOKENIZER, pairs, batch_size=n) for n in (1, 3)]
    assert model.training
    model.eval()
    for pair in pairs:
        with torch.no_grad():
            scores = [literal_score(model, prompt, pair.continuation) for prompt in (pair.prompt_a, pair.prompt_b)]
        for report in reports:
            assert report.gaps[pair.group][pair.item] == pytest.approx(scores[0] - scores[1], abs=1e-5)


def test_the_pairs_of_one_item_are_averaged_and_count_once():
    model, pairs, own = told_pairs(1.0, 6)
    grouped = [pair._replace(item=str(i // 3)) for i, pair in enumerate(pairs)]
    report = counterfactual_gaps(model, TOKENIZER, grouped)
    np.testing.assert_allclose(list(report.gaps["g"].values()), own.reshape(2, 3).mean(1), atol=1e-9)
    assert report.intervals["g"].n == 2


def test_p_is_corrected_over_the_groups():
    model, pairs, _ = told_pairs(0.3, 12)
    report = counterfactual_gaps(model, TOKENIZER, [p._replace(group="gh"[i % 2]) for i, p in enumerate(pairs)])
    low, high = sorted(row.p for row in report.intervals.values())
    assert sorted(report.corrected.values()) == pytest.approx([min(1, 2 * low), max(min(1, 2 * low), high)])


def test_the_report_is_a_table_json_and_a_picture():
    model, pairs, own = told_pairs(-1.0, 5)
    report = counterfactual_gaps(model, TOKENIZER, pairs)
    _, row, note, _ = str(report).splitlines()
    assert row.split()[:3] == ["g", "5", f"{own.mean():+.3f}"]
    assert "items, not tokens" in note
    figures = json.loads(json.dumps(report.to_object()))["g"]
    assert figures["mean_size"] == pytest.approx(np.abs(own).mean())
    assert len(figures["items"]) == 5
    assert report.plot()._repr_png_().startswith(b"\x89PNG")


def test_what_cant_be_scored_is_refused():
    model, pair = small_gpt(context_length=5), Counterfactual("1", "g", "ab", "cd", " ab")
    counterfactual_gaps(model, TOKENIZER, [pair._replace(continuation=" abc")])  # six tokens, the last one unread
    with pytest.raises(ValueError, match=r"every pair is longer than context_length=5 and one: the shortest has 7 tok"):
        counterfactual_gaps(model, TOKENIZER, [pair._replace(continuation=" abcd"), pair._replace(prompt_b="abcdefg")])
    for wrong in [("a", "b")], [pair, tuple(pair)], [pair._replace(continuation=5)], None, "ab":
        with pytest.raises(ValueError, match=r"pair \d must be a minigpt.fairness.Counterfactual of five texts"):
            counterfactual_gaps(model, TOKENIZER, wrong)
    with pytest.raises(ValueError, match="got no pairs"):
        counterfactual_gaps(model, TOKENIZER, [])
    for empty in (pair._replace(prompt_b=""), pair._replace(continuation="")):
        with pytest.raises(ValueError, match="without a token"):
            counterfactual_gaps(model, TOKENIZER, [empty])
    broken = nn.Embedding(TOKENIZER.vocab_size, TOKENIZER.vocab_size)
    nn.init.constant_(broken.weight, math.nan)
    with pytest.raises(ValueError, match="a gap is nan"):
        counterfactual_gaps(broken, TOKENIZER, [pair])


def test_pairs_longer_than_the_context_are_skipped_and_counted_and_change_nothing_else():
    model, pair = small_gpt(context_length=9), Counterfactual("1", "g", "ab", "cd", " ab")
    short = [pair, pair._replace(item="2", prompt_a="ba"), pair._replace(group="h")]
    long = [pair._replace(prompt_b="abcdefgh"), pair._replace(item="3", continuation=" to the ABC"),
            pair._replace(group="i", prompt_a="abc abc abc")]  # fmt: skip
    mixed = [long[0], short[0], long[1], *short[1:], long[2]]
    report, alone = (counterfactual_gaps(model, TOKENIZER, pairs, batch_size=2) for pairs in (mixed, short))
    assert (report.n_pairs, report.n_skipped) == (6, 3) and report.gaps.keys() == {"g", "h"}
    assert all(report.gaps[group] == pytest.approx(items, abs=1e-6) for group, items in alone.gaps.items())
    assert str(report).endswith("\nskipped: 3 of 6 pairs, longer than the model's context")
    assert "skipped" not in str(alone)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_model_that_is_told_the_planted_world_has_its_gaps(language):
    planted, tokenizer = PlantedWorld(1.5, language), PlantedWorld(0.0, language).tokenizer()
    table = {}
    for pair in planted.pairs():
        share = 1 / (1 + math.exp(-1.5))
        for prompt, p in ((pair.prompt_a, share), (pair.prompt_b, 1 - share)):
            table[prompt, pair.continuation] = math.log((p if pair.group == "places X" else 1 - p) / 5)
            table[prompt, "\n"] = math.log1p(-math.exp(table[prompt, pair.continuation]))  # every other place
    report = counterfactual_gaps(Told(table, tokenizer), tokenizer, planted.pairs())
    assert {group: row.mean for group, row in report.intervals.items()} == pytest.approx(planted.truth)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_a_batch_size_below_one_is_refused(batch_size):
    model, pairs, _ = told_pairs(0.5, 3)
    with pytest.raises(ValueError, match=f"batch_size={batch_size} must be"):
        counterfactual_gaps(model, TOKENIZER, pairs, batch_size=batch_size)


def test_each_module_has_its_own_mode_back():
    model = small_gpt().train()
    model.blocks[0].eval()
    counterfactual_gaps(model, TOKENIZER, told_pairs(0.5, 3)[1])
    assert model.training and model.blocks[1].training
    assert not any(module.training for module in model.blocks[0].modules())
