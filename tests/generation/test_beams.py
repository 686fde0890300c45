import itertools
import math

import pytest
import torch
from decoding_models import Table, small_gpt

import minigpt as mg
from minigpt.generation import Decoder, generate_ids
from minigpt.generation.beams import beam_score, beam_search, best_of, token_log_probabilities
from minigpt.generation.sampler import GREEDY, Sampler


def enumerated(model, prompt, n, stops, length_penalty):
    """Every text of up to n tokens with its score, by the chain rule and nothing else; the best first."""
    found = []
    for length in range(1, n + 1):
        for tokens in itertools.product(range(model.config.vocab_size), repeat=length):
            early = any(token in stops for token in tokens[:-1])
            if early or (length < n and tokens[-1] not in stops):
                continue
            total, row = 0.0, list(prompt)
            for token in tokens:
                with torch.no_grad():
                    total += float(model(torch.tensor([row]))[0, -1].double().log_softmax(-1)[token])
                row.append(token)
            found.append((total / ((5 + length) / 6) ** length_penalty, row))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, -0.5])
@pytest.mark.parametrize("stops", [(), (2,), (0, 1)])
def test_a_beam_wide_enough_finds_what_brute_force_finds(length_penalty, stops):
    model = Table(3, seed=4)
    expected = enumerated(model, [1], 4, stops, length_penalty)
    found = beam_search(
        model, torch.tensor([[1]]), n_beams=90, max_new_tokens=4, length_penalty=length_penalty, stop_tokens=stops
    )
    assert [each.score for each in found] == pytest.approx([score for score, _ in expected], abs=1e-5)
    scores = {tuple(each.ids.tolist()): each.score for each in found}  # two texts may have the same score
    assert scores == pytest.approx({tuple(row): score for score, row in expected}, abs=1e-5)


def test_a_narrow_beam_returns_texts_with_their_own_scores():
    model = small_gpt(vocab_size=7)
    found = beam_search(model, torch.tensor([[1, 4]]), n_beams=3, max_new_tokens=6, length_penalty=0.8, stop_tokens=[2])
    assert len(found) == 3 and found[0].score >= found[1].score >= found[2].score
    for each in found:
        nats = token_log_probabilities(model, each.ids[None], 2)[0]
        torch.testing.assert_close(each.log_probabilities, nats, rtol=1e-4, atol=1e-5)
        assert each.score == pytest.approx(float(nats.sum()) / ((5 + len(nats)) / 6) ** 0.8, abs=1e-4)


def test_a_wider_beam_finds_what_greedy_search_misses():
    model, prompt = Table(4, seed=11), torch.tensor([[0]])
    greedy, wide = (beam_search(model, prompt, n_beams=n, max_new_tokens=5)[0] for n in (1, 4))
    drawn = generate_ids(model, prompt, max_new_tokens=5, generator=torch.Generator(), sampler=GREEDY)
    assert greedy.ids.tolist() == drawn[0].tolist()
    assert wide.score > greedy.score


@pytest.mark.parametrize("seed", range(20))
def test_one_beam_is_greedy_where_texts_may_end(seed):
    model, prompt = Table(4, seed=seed), torch.tensor([[0]])
    drawn = generate_ids(model, prompt, max_new_tokens=5, generator=torch.Generator(), sampler=GREEDY, stop_tokens=[2])
    found = beam_search(model, prompt, n_beams=1, max_new_tokens=5, stop_tokens=[2])
    assert [each.ids.tolist() for each in found] == drawn.tolist()


def test_a_token_that_cannot_be_is_in_no_beam():
    model = Table(4, seed=1)
    model.table[:, :, 2:] = -math.inf
    found = beam_search(model, torch.tensor([[0]]), n_beams=8, max_new_tokens=2)
    assert sorted(each.ids.tolist() for each in found) == [[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1]]


def test_beams_of_a_model_that_has_diverged_are_refused():
    model = Table(4, seed=1)
    model.table[1] = math.nan
    with pytest.raises(ValueError, match="non-finite logits"):
        beam_search(model, torch.tensor([[1]]), n_beams=2, max_new_tokens=3)


@pytest.mark.parametrize("stops", [(), (2, 7)])
def test_beams_are_those_of_transformers(tmp_path, stops):
    from transformers import AutoModelForCausalLM

    model = small_gpt(3)
    mg.save_pretrained(model, tmp_path / "twin")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "twin")
    prompt = torch.tensor([[5, 3, 10]])
    expected = theirs.generate(
        prompt,
        attention_mask=torch.ones_like(prompt),
        num_beams=4,
        num_return_sequences=4,
        max_new_tokens=8,
        do_sample=False,
        length_penalty=0.0,
        eos_token_id=list(stops) or None,
        pad_token_id=0,
    )
    found = beam_search(model, prompt, n_beams=4, max_new_tokens=8, stop_tokens=stops)
    longest = expected.shape[1]
    assert [each.ids.tolist() + [0] * (longest - len(each.ids)) for each in found] == expected.tolist()


def test_the_best_of_several_is_the_likeliest_of_those_drawn():
    model, prompt = small_gpt(vocab_size=7), torch.tensor([[1, 4]])
    found = best_of(model, prompt, 6, max_new_tokens=5, generator=torch.Generator().manual_seed(0))
    drawn = generate_ids(model, [prompt[0]] * 6, max_new_tokens=5, generator=torch.Generator().manual_seed(0))
    scores = [float(token_log_probabilities(model, row[None], 2).mean()) for row in drawn]
    assert [each.score for each in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)


def test_the_best_of_several_beyond_the_context_has_what_each_step_says():
    model, prompt = small_gpt(vocab_size=7, context_length=6), torch.tensor([[1, 4, 2, 0]])
    for each in best_of(
        model, prompt, 2, max_new_tokens=5, generator=torch.Generator().manual_seed(0), stop_tokens=[3]
    ):
        with torch.no_grad():
            rows = [each.ids[:t][-6:] for t in range(4, len(each.ids))]
            expected = [float(model(row[None])[0, -1].log_softmax(-1)[each.ids[4 + i]]) for i, row in enumerate(rows)]
        torch.testing.assert_close(each.log_probabilities, torch.tensor(expected), rtol=1e-4, atol=1e-5)
        assert each.score == pytest.approx(sum(expected) / len(expected), abs=1e-5)


def test_log_probabilities_are_those_of_one_token_at_a_time():
    model = small_gpt(vocab_size=7)
    ids = torch.randint(7, (3, 9), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = [[float(model(row[None, :t])[0, -1].log_softmax(-1)[row[t]]) for t in range(4, 9)] for row in ids]
    torch.testing.assert_close(token_log_probabilities(model, ids, 4), torch.tensor(expected), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n_beams": 0}, "n_beams=0 must be a whole number, 1 to 1000000"),
        ({"n_beams": 2.5}, r"n_beams=2\.5 must be a whole number"),
        ({"n_beams": 2**63}, "n_beams=9223372036854775808 must be a whole number, 1 to 1000000"),
        ({"max_new_tokens": 0}, "max_new_tokens=0 must be a whole number, 1 to"),
        ({"length_penalty": math.nan}, r"length_penalty=nan must lie in \[-10, 10\]; 0 compares whole"),
        ({"ids": torch.zeros(2, 3, dtype=torch.int64)}, "expected .1, T., one prompt"),
        ({"ids": torch.tensor([[9]])}, "outside the model's vocabulary"),
    ],
)
def test_what_cannot_be_searched_is_refused(change, why):
    given = {"ids": torch.tensor([[1]]), "n_beams": 2, "max_new_tokens": 3, **change}
    with pytest.raises(ValueError, match=why):
        beam_search(Decoder(Table(3)), given.pop("ids"), **given)


def test_the_best_of_several_can_not_match_a_text():
    given = {"max_new_tokens": 2, "generator": torch.Generator(), "sampler": Sampler(match="ab")}
    with pytest.raises(ValueError, match="match='ab' needs the text of the tokens"):
        best_of(Table(3), torch.tensor([[1]]), 2, **given)


def test_a_longer_text_gains_by_the_penalty():
    nats = torch.full((2, 6), -0.5)
    assert float(beam_score(nats, 1.0)[0]) == pytest.approx(-3 / (11 / 6))
    assert beam_score(nats, 1.0)[0] > beam_score(nats, 0.0)[0]
