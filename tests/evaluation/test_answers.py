import pytest
import torch

import minigpt as mg
from minigpt.evaluation.answers import Score, greedy_gpt, greedy_ngram, score_answers, score_bag_of_words
from minigpt.evaluation.bag_of_words import BagOfWords, bag_of_words_logits
from minigpt.text.tinyworld import TASKS, Part, TinyWorld, encode_parts

EXAMPLES = [TASKS["qa"].example(TinyWorld(seed=14), i) for i in range(24)]
TOKENIZER = mg.CharTokenizer.train("".join(part.text for parts in EXAMPLES for part in parts))


@pytest.fixture(scope="module")
def model():
    """A GPT as it was drawn."""
    config = mg.GPTConfig(
        vocab_size=TOKENIZER.vocab_size, context_length=512, d_model=32, n_heads=2, n_layers=2, position="rope-half"
    )
    return mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()


def always(text, tokenizer=TOKENIZER):
    """A model that says what an oracle tells it: the right next token wherever ``text`` is told."""
    ids = tokenizer.encode(text)

    def greedy(given):
        n = given.shape[1]
        return torch.tensor([(ids[1:] + [0] * n)[:n]] * len(given))

    return greedy


@pytest.mark.parametrize("prompt", ["Who has the red kite?", "\n", "Tom"])
def test_an_answer_is_right_exactly_if_greedy_generation_writes_it(model, prompt):
    """One pass over the example with its answer agrees with generating token by token from the prompt."""
    ids = torch.tensor([TOKENIZER.encode(prompt)])
    written = mg.generate_ids(
        model, ids, max_new_tokens=6, sampler=mg.Sampler(temperature=0), generator=torch.Generator()
    )[0, -6:].tolist()
    for wrong in (None, 0, 3, 5):
        answer = list(written)
        if wrong is not None:
            answer[wrong] = (answer[wrong] + 1) % TOKENIZER.vocab_size
        parts = [Part(prompt), Part(TOKENIZER.decode(answer), "kind")]
        assert score_answers(greedy_gpt(model), [parts], TOKENIZER, 512)["kind"].exact == (wrong is None)


def test_a_model_that_is_right_everywhere_has_every_answer():
    parts = EXAMPLES[0]
    scores = score_answers(always("".join(part.text for part in parts)), [parts], TOKENIZER, 1024)
    assert sum(score.exact for score in scores.values()) == sum(part.kind is not None for part in parts)
    assert all(score.exact_match == score.token_accuracy == 1 for score in scores.values())


def test_one_wrong_token_makes_an_answer_wrong_and_leaves_the_other_tokens_right():
    parts = [Part("Who?"), Part(" Tom\n", "who")]
    score = score_answers(always("Who? Tim\n"), [parts], TOKENIZER, 512)["who"]
    assert score == Score(answers=1, exact=0, tokens=5, right_tokens=4)


def test_scores_do_not_depend_on_the_batch(model):
    scores = [score_answers(greedy_gpt(model), EXAMPLES, TOKENIZER, 512, batch_size) for batch_size in (1, 7, 64)]
    assert scores[0] == scores[1] == scores[2]
    asked = sum(part.kind is not None for parts in EXAMPLES for part in parts)
    assert sum(score.answers for score in scores[0].values()) == asked


def test_an_answer_that_does_not_fit_the_context_is_wrong():
    parts = EXAMPLES[0]
    ids, answers = encode_parts(parts, TOKENIZER)
    scores = score_answers(always("".join(part.text for part in parts)), [parts], TOKENIZER, answers[1].stop - 2)
    assert len(ids) > answers[1].stop
    assert sum(score.exact for score in scores.values()) == 1


def test_an_n_gram_s_likeliest_token_is_that_of_its_distribution():
    ids = TOKENIZER.encode("".join(part.text for parts in EXAMPLES for part in parts))
    ngram = mg.NGram.train(ids, 3, TOKENIZER.vocab_size)
    text = ids[100:120]
    said = greedy_ngram(ngram)(torch.tensor([text]))[0].tolist()
    assert said == [int(ngram.probabilities(text[: t + 1]).argmax()) for t in range(len(text))]


def test_a_bag_of_words_learns_what_words_tell_and_not_their_order():
    given = [TOKENIZER.encode(text) for text in ("aab", "abb", "baa", "bba")]
    by_words = BagOfWords(given, ["a", "b", "a", "b"], TOKENIZER.vocab_size, steps=100)
    assert [by_words.answer(ids) for ids in given] == ["a", "b", "a", "b"]
    by_order = BagOfWords(given, ["x", "x", "y", "y"], TOKENIZER.vocab_size, steps=100)
    assert by_order.answer(given[0]) == by_order.answer(given[2])


def test_the_logits_of_a_bag_are_votes_that_add_up():
    weights = torch.tensor([[1.0, 0.0], [0.0, 3.0], [5.0, 5.0]])
    assert bag_of_words_logits(torch.tensor([2.0, 1.0, 0.0]), weights).tolist() == [2.0, 3.0]


def test_the_bag_is_given_what_stands_before_the_answer_and_nothing_of_it():
    examples = [[Part("ab"), Part("c\n", "k"), Part("d"), Part("a\n", "k")]]

    class Spy:
        def answer(self, given):
            seen.append(TOKENIZER.decode(given))
            return "a\n"

    seen = []
    score = score_bag_of_words(Spy(), examples, TOKENIZER)["k"]
    assert seen == ["ab", "abc\nd"]
    assert score == Score(answers=2, exact=1, tokens=4, right_tokens=2)
