import math
from collections import Counter

import pytest
import torch
from decoding_models import Table, small_gpt

import minigpt.generation.speculation.steps as speculative
from minigpt.generation import Decoder, Sampler, generate_ids, stream_ids
from minigpt.generation.sampler import GREEDY
from minigpt.generation.speculation.drafts import DraftModel, PromptLookup

PROMPT = [0, 1, 2, 0, 1]
SAMPLERS = [
    Sampler(),
    Sampler(temperature=0.7, top_k=3),
    Sampler(top_p=0.8, repetition_penalty=1.5),
    Sampler(min_p=0.2, logit_bias={1: 1.0}),
]


def drafts():
    return {"model": DraftModel(Table(4, seed=8, scale=1.5)), "lookup": PromptLookup(2, 1)}


def chi_square_tail(square, n_free):
    """The probability of a larger value where ``n_free`` squares are free."""
    half = torch.tensor([n_free / 2, square / 2], dtype=torch.float64)
    return float(torch.special.gammaincc(*half))


def tail_of(sampler, draft, n_draws=1000):
    """The probability of a larger chi-square than that of texts of three tokens, were they the model's."""
    model = Table(4, seed=3)
    expected, generator = model.distribution(PROMPT, 3, sampler), torch.Generator().manual_seed(5)
    decoder, prompt = Decoder(model, draft=draft), torch.tensor([PROMPT])
    drawn = Counter(
        tuple(generate_ids(decoder, prompt, max_new_tokens=3, generator=generator, sampler=sampler)[0, 5:].tolist())
        for _ in range(n_draws)
    )
    assert all(expected[tokens] > 0 for tokens in drawn)
    likely = {tokens: p for tokens, p in expected.items() if n_draws * p >= 5}
    rest = n_draws * (1 - sum(likely.values()))
    square = sum((drawn[t] - n_draws * p) ** 2 / (n_draws * p) for t, p in likely.items())
    if rest >= 5:
        square += (n_draws - sum(drawn[t] for t in likely) - rest) ** 2 / rest
    return chi_square_tail(square, len(likely) - 1 + (rest >= 5))


@pytest.mark.parametrize("kind", ["model", "lookup"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_what_is_drawn_has_the_models_distribution(kind, sampler):
    assert tail_of(sampler, drafts()[kind]) > 1e-4


@pytest.mark.parametrize("kind", ["model", "lookup"])
def test_replacing_a_rejected_token_by_a_draw_from_the_model_would_be_noticed(kind, monkeypatch):
    monkeypatch.setattr(speculative, "residual_probabilities", lambda p, q: p)
    assert tail_of(Sampler(), drafts()[kind]) < 1e-9


def test_accepting_what_the_draft_proposes_would_be_noticed(monkeypatch):
    monkeypatch.setattr(speculative, "acceptance", lambda p, q: torch.ones_like(p))
    assert tail_of(Sampler(), drafts()["model"]) < 1e-9


@pytest.mark.parametrize("position", ["learned", "rope-half", "alibi"])
@pytest.mark.parametrize("draft", [DraftModel(small_gpt(5)), PromptLookup(3, 1)])
def test_greedy_tokens_are_the_same_beyond_the_context_too(position, draft):
    model, prompt = small_gpt(1, position=position), torch.tensor([[1, 2, 3, 1, 2]])
    greedy = Sampler(temperature=0, repetition_penalty=1.3)
    for sampler in (GREEDY, greedy):
        drawn = [
            generate_ids(reader, prompt, max_new_tokens=30, generator=torch.Generator(), sampler=sampler).tolist()
            for reader in (model, Decoder(model, draft=draft))
        ]
        assert drawn[0] == drawn[1]


def passes(model):
    """Counts the passes of a model."""
    seen = []
    model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    return seen


def test_a_perfect_draft_saves_passes_and_a_useless_one_pauses():
    model, prompt = Table(4, seed=3, scale=9.0, context_length=512), torch.tensor([PROMPT])
    seen = passes(model)
    for seed, most in [(3, 60), (1, 215)]:
        seen.clear()
        decoder = Decoder(model, draft=DraftModel(Table(4, seed=seed, scale=9.0, context_length=512)))
        generate_ids(decoder, prompt, max_new_tokens=200, generator=torch.Generator().manual_seed(0))
        assert len(seen) <= most


def test_a_draft_that_never_agrees_costs_a_twentieth_at_most():
    cost = {1: 1.0, 4: 1.5, 8: 1.8}  # of passes of a model of 135 million parameters on a CPU, by tokens
    pauses, spent, n_tokens = speculative.Pauses(), 0.0, 256
    for _ in range(n_tokens):
        paused = pauses.next()
        spent += cost[1 if paused else pauses.n_proposed + 1]
        if not paused:
            pauses.judge(pauses.n_proposed, 1)
    assert n_tokens / spent >= 0.95


def test_a_draft_that_agrees_again_is_used_again():
    pauses, used = speculative.Pauses(), []
    for step in range(60):
        used.append(not pauses.next())
        if used[-1]:
            pauses.judge(pauses.n_proposed, 1 if step < 30 else pauses.n_proposed + 1)
    first = used.index(True, 30)
    assert not all(used[:30]) and all(used[first:])
    assert pauses.n_proposed == speculative.MOST_PROPOSED


def test_a_stop_token_among_the_proposals_ends_the_text():
    model = Table(4, seed=3, scale=9.0)
    prompt = torch.tensor([PROMPT])
    plain, fast = (
        generate_ids(reader, prompt, max_new_tokens=20, generator=torch.Generator(), sampler=GREEDY, stop_tokens=[3])
        for reader in (model, Decoder(model, draft=DraftModel(Table(4, seed=3, scale=9.0))))
    )
    assert plain.tolist() == fast.tolist()


def test_a_draft_of_another_vocabulary_is_refused():
    decoder = Decoder(Table(4), draft=DraftModel(Table(5)))
    with pytest.raises(ValueError, match="the draft has a vocabulary of 5 tokens, the model 4"):
        generate_ids(decoder, torch.tensor([[0]]), max_new_tokens=3, generator=torch.Generator())


def test_streams_of_two_vocabularies_may_share_a_look_up():
    draft, prompt = PromptLookup(2, 1), torch.tensor([[1, 2, 1, 2, 1]])
    settings = {"max_new_tokens": 9, "sampler": GREEDY, "generator": torch.Generator()}
    streams = [stream_ids(Decoder(small_gpt(vocab_size=v), draft=draft), prompt, **settings) for v in (11, 7)]
    for vocab_size, drawn in zip((11, 7), zip(*zip(*streams, strict=True), strict=True), strict=True):
        expected = generate_ids(small_gpt(vocab_size=vocab_size), prompt, **settings)
        assert list(map(int, drawn)) == expected[0, 5:].tolist()


@pytest.mark.parametrize(
    ("row", "n", "expected"),
    [
        ([5, 1, 2, 8, 9, 1, 2, 3, 4, 1, 2], 2, [3, 4]),  # the last place
        ([5, 1, 2, 8, 9, 1, 2, 3, 1, 2], 4, [3, 1, 2, 3]),  # what follows it is repeated
        ([7, 7, 7, 7], 5, [7, 7, 7, 7, 7]),
        ([1, 2, 3, 4], 5, []),
        ([2, 1, 3, 1], 2, []),  # a single token is not looked up
    ],
)
def test_what_followed_the_last_tokens_is_proposed(row, n, expected):
    ids, q = PromptLookup().propose(torch.tensor([row]), n, GREEDY, torch.Generator())
    assert ids.tolist() == expected and q is None


@pytest.mark.parametrize(("longest", "shortest"), [(2, 3), (3, 0)])
def test_sizes_that_cannot_be_looked_up_are_refused(longest, shortest):
    with pytest.raises(ValueError, match="expected 1 ≤ shortest ≤ longest"):
        PromptLookup(longest, shortest)


def test_the_tail_of_chi_square_is_that_of_the_tables():
    assert chi_square_tail(3.841, 1) == pytest.approx(0.05, abs=1e-4)
    assert chi_square_tail(18.307, 10) == pytest.approx(0.05, abs=1e-4)
    assert math.isclose(chi_square_tail(0.0, 3), 1.0)
