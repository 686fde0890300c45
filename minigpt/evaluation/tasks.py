"""How well a model does a task of the tiny world, on worlds that it was not trained on and beside simple baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain
from operator import add

from minigpt.evaluation.answers import Score, Scores, greedy_gpt, greedy_ngram, score_answers, score_bag_of_words
from minigpt.evaluation.bag_of_words import BagOfWords
from minigpt.model import GPT, NGram
from minigpt.settings.language import Bilingual, filled
from minigpt.text import Tokenizer
from minigpt.text.tinyworld import Part, TinyWorld, encode_parts, task_of

LEARNT = 4000  # training examples that the baselines see
_HEADS, _TOKENS = Bilingual("exact match|answers", "完全匹配|答案数"), Bilingual("{}, tokens", "{}，词元")
_NAMES = {name: Bilingual(name, zh) for name, zh in (("bag of words", "词袋"), ("5-gram", "5 元语法"), ("all", "全部"))}


@dataclass(frozen=True)
class TaskReport:
    """The answers of a model and of the baselines, kind by kind.

    Attributes:
        scores: for each of them, from the kind of answer to its score; all on the same examples.
    """

    scores: dict[str, Scores]

    def overall(self, name: str = "GPT") -> Score:
        """The score of all kinds together."""
        return reduce(add, self.scores[name].values())

    def to_object(self) -> dict[str, dict[str, dict[str, float]]]:
        """For each model and each kind of answer, the counts and the shares, as what JSON can hold."""
        return {
            name: {kind: score.to_object() for kind, score in {**scores, "all": self.overall(name)}.items()}
            for name, scores in self.scores.items()
        }

    def __str__(self) -> str:
        names = list(self.scores)
        kinds = list(self.scores["GPT"])
        writing = [name for name in names if name != "bag of words"]  # which chooses whole answers
        heads = [*map(_spoken, names), *(_TOKENS.spoken().format(_spoken(name)) for name in writing)]
        first, second = _HEADS.spoken().split("|")
        lines = [filled(first, 22) + filled(second, 8, "left") + "".join(filled(head, 15, "left") for head in heads)]
        for kind in (*kinds, "all"):
            row = {name: self.overall(name) if kind == "all" else self.scores[name][kind] for name in names}
            shares = [row[name].exact_match for name in names] + [row[name].token_accuracy for name in writing]
            figures = f"{row['GPT'].answers:8,}" + "".join(f"{share:15.1%}" for share in shares)
            lines.append(filled(_spoken(kind), 22) + figures)
        return "\n".join(lines)


def _spoken(name: str) -> str:
    """A baseline, or all kinds together, in the language of the locale; a kind of answer is called as in JSON."""
    return _NAMES[name].spoken() if name in _NAMES else name


def evaluate_task(model: GPT, task: str, world: TinyWorld, tokenizer: Tokenizer, n_examples: int = 500) -> TaskReport:
    """Ask a model, a 5-gram and, where answers are short, a bag of words for the same answers.

    Args:
        model: trained on the task, with this tokenizer.
        task: "translate", "qa" or "dialogue", whose answers are either right or wrong.
        world: where the examples come from; the baselines learn from its training world.
        tokenizer: between text and the model's ids.
        n_examples: how many; one may ask for several answers.

    Raises:
        ValueError: if there is no such task.
    """
    example = task_of(task).example
    asked = [example(world, i) for i in range(n_examples)]
    learnt = [example(replace(world, split="train"), i) for i in range(LEARNT)]
    T, V = model.config.context_length, tokenizer.vocab_size
    text = list(chain.from_iterable(encode_parts(parts, tokenizer)[0] for parts in learnt))
    scores = {
        "GPT": score_answers(greedy_gpt(model.eval()), asked, tokenizer, T),
        "5-gram": score_answers(greedy_ngram(NGram.train(text, 5, V)), asked, tokenizer, T),
    }
    if task != "translate":  # a translation is written, not chosen
        scores["bag of words"] = score_bag_of_words(_train_bag(learnt, tokenizer), asked, tokenizer)
    return TaskReport(scores)


def _train_bag(examples: Sequence[Sequence[Part]], tokenizer: Tokenizer) -> BagOfWords:
    given, texts = [], []
    for parts in examples:
        ids, answers = encode_parts(parts, tokenizer)
        given += [ids[: answer.start] for answer in answers]
        texts += [tokenizer.decode(ids[answer.start : answer.stop]) for answer in answers]
    return BagOfWords(given, texts, tokenizer.vocab_size)
