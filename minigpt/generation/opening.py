"""A prompt before it is continued: its tokens, what of it is left open, what chooses tokens, and what ends the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from minigpt.generation.borders import Borders, OpenEnd, Vocabulary, settled, without_start
from minigpt.generation.decoder import Decoder, config_of
from minigpt.generation.ids import Chooser
from minigpt.generation.matching.constraints import Constrained, Spelling, until_match
from minigpt.generation.matching.pattern import text_pattern
from minigpt.generation.sampler import Sampler
from minigpt.generation.streaming import cut_at_stop, text_pieces
from minigpt.model import GPT
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.bpe import END_OF_TEXT


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a prompt is to a model and its tokenizer.

    Attributes:
        ids: the tokens that the model is given.
        rest: the bytes of the prompt that are left open: the first tokens that are drawn complete it.
        chooser: what chooses tokens.
        stop_tokens: ids that end the text.
        stop_strings: strings before which the text ends.
        tokenizer: between text and tokens.
    """

    ids: list[int]
    rest: bytes
    chooser: Chooser
    stop_tokens: list[int]
    stop_strings: list[str]
    tokenizer: Tokenizer

    def text(self, drawn: Iterator[int], n_new: int) -> Iterator[str]:
        """The text of the tokens that were drawn, without the prompt, the stop and what follows it.

        Args:
            drawn: tokens after ``ids``.
            n_new: the most tokens that count, those that complete the prompt not among them.

        Raises:
            ValueError: at a token that the tokenizer does not know, or if the text must match and ends before it does.
        """
        if isinstance(self.chooser, Constrained):
            drawn = until_match(drawn, self.chooser)
        tokens = self._until_stop(drawn)
        written = without_start(map(self.tokenizer.token_bytes, tokens), len(self.rest))
        if not isinstance(self.chooser, Constrained):  # a match is read to its end, which says if it is whole
            written = islice(written, n_new)
        return cut_at_stop(text_pieces(written, bytes), self.stop_strings)

    def _until_stop(self, tokens: Iterator[int]) -> Iterator[int]:
        """The tokens before the first stop token, each known to the tokenizer."""
        vocab_size = self.tokenizer.vocab_size
        for token in tokens:
            if token in self.stop_tokens:
                return
            if token >= vocab_size:
                raise ValueError(
                    f"the model chose token id {token} but the tokenizer has {vocab_size} tokens; use the tokenizer "
                    f"that the model was trained with, or build the model with vocab_size={vocab_size}"
                )
            yield token


def prepared(model: GPT | Decoder, tokenizer: Tokenizer, prompt: str, borders: Borders, sampler: Sampler) -> Opening:
    """A prompt for a model.

    Args:
        model: that continues it.
        tokenizer: the one that the model was trained with.
        prompt: the text to continue; if empty, the start of a document.
        borders: of the documents that the model was trained on.
        sampler: chooses the tokens; if it has something to match, nothing of the prompt is left open.

    Raises:
        ValueError: if the tokenizer does not fit the model, the prompt is empty and there is nothing to start from, or
            a stop is empty.
    """
    stop_tokens, stop_strings = _split_stops(tokenizer, borders.end)
    vocab_size = config_of(model).vocab_size
    if tokenizer.vocab_size > vocab_size:
        raise ValueError(
            f"the tokenizer has {tokenizer.vocab_size} tokens but the model has {vocab_size}; "
            "use the tokenizer that the model was trained with"
        )
    ids, rest = borders.encode(tokenizer, prompt) or _start(tokenizer), b""
    chooser: Chooser = sampler
    if sampler.match is not None:
        chooser = Constrained(sampler, text_pattern(sampler.match), Spelling(tokenizer), stop_tokens, stop_strings)
    elif borders.before is not None:
        vocabulary = Vocabulary(tokenizer)
        given = settled(prompt, borders, tokenizer, vocabulary)
        rest = b"".join(map(tokenizer.token_bytes, ids[given:]))
        ids, chooser = ids[:given], OpenEnd(sampler, rest, vocabulary)
    return Opening(
        ids=ids,
        rest=rest,
        chooser=chooser,
        stop_tokens=stop_tokens,
        stop_strings=stop_strings,
        tokenizer=tokenizer,
    )


def _start(tokenizer: Tokenizer) -> list[int]:
    if END_OF_TEXT not in tokenizer.special_tokens:
        raise ValueError(
            f"the prompt is empty and the tokenizer has no {END_OF_TEXT} to start from; give the first words of a text"
        )
    return [tokenizer.special_tokens[END_OF_TEXT]]


def _split_stops(tokenizer: Tokenizer, stops: Sequence[str]) -> tuple[list[int], list[str]]:
    """Ids of the stops that name special tokens, and all of them as strings: a text may spell a special token out."""
    if "" in stops:
        raise ValueError(f"stop={stops!r} holds an empty string, which every text contains; use stop=() for no stop")
    specials = tokenizer.special_tokens
    return [specials[s] for s in stops if s in specials], list(stops)
