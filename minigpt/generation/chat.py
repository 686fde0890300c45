"""A conversation with a model that was trained to chat: messages in the model's own format, answers as a stream."""

from collections.abc import Iterator

import torch

from minigpt.generation.decoder import Decoder, config_of
from minigpt.generation.ids import Chooser, stream_ids
from minigpt.generation.matching.constraints import Constrained, Spelling, until_match
from minigpt.generation.matching.pattern import text_pattern
from minigpt.generation.sampler import GREEDY, Sampler
from minigpt.generation.streaming import text_pieces
from minigpt.model import GPT
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.chat import chat_format_of, encode_chat
from minigpt.text.tokenizers.chat_format import Message


class ChatConversation:
    """Messages in, answers out, until the context is full.

    The whole conversation is written anew for every answer: a template adds to the first message what it must not add
    to the others. The model computes only what comes after the beginning that it has read already.

    Args:
        model: trained to chat.
        tokenizer: its own, with its chat format.
        system: what the model is told before the conversation; ``None`` leaves it to the template, which may have words
            of its own.
        sampler: chooses each token; an answer matches its ``match`` as a whole.
        max_new_tokens: the most tokens of an answer; ``None`` is as many as there is room for.
        seed: of the draws, new for each answer.

    Raises:
        ValueError: if the tokenizer has no chat format, or none of its end tokens.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: Tokenizer,
        *,
        system: str | None = None,
        sampler: Sampler = GREEDY,
        max_new_tokens: int | None = None,
        seed: int = 0,
    ) -> None:
        self.model, self.tokenizer, self.sampler, self.seed = model, tokenizer, sampler, seed
        self.max_new_tokens = max_new_tokens
        specials = tokenizer.special_tokens
        self.end = [specials[token] for token in chat_format_of(tokenizer).end if token in specials]
        if not self.end:
            raise ValueError(f"the {tokenizer.name} tokenizer has no token that ends an answer")
        self.first: list[Message] = [] if system is None else [{"role": "system", "content": system}]
        self.messages = list(self.first)
        self._decoder: Decoder | None = None

    def reply(self, content: str) -> Iterator[str]:
        """The answer to a message, piece by piece; both are kept once the last piece was read.

        Args:
            content: what the user says; the text of a special token in it stays text.

        Raises:
            ValueError: if the conversation has become longer than the model's context, or the template refuses it.
        """
        messages = [*self.messages, {"role": "user", "content": content}]
        ids, limit = encode_chat(self.tokenizer, messages), config_of(self.model).context_length
        room = limit - len(ids)
        if room < 1:
            raise ValueError(
                f"the conversation is longer than the {limit} tokens that this model sees at once; start a new one"
            )
        chooser = self._chooser()
        n_new = room if self.max_new_tokens is None else min(room, self.max_new_tokens)
        drawn = stream_ids(
            self._decoder_for(len(ids) + n_new),
            torch.tensor([ids]),
            max_new_tokens=n_new,
            generator=torch.Generator().manual_seed(self.seed + len(messages)),
            sampler=chooser,
            stop_tokens=self.end,
        )
        tokens: Iterator[int] = map(int, drawn)
        if isinstance(chooser, Constrained):
            tokens = until_match(tokens, chooser)
        said = text_pieces((token for token in tokens if token not in self.end), self.tokenizer.token_bytes)
        return self._kept(messages, said)

    def start_anew(self) -> None:
        """Forget what was said, but for the system message."""
        self.messages = list(self.first)

    def _chooser(self) -> Chooser:
        if self.sampler.match is None:
            return self.sampler
        return Constrained(self.sampler, text_pattern(self.sampler.match), Spelling(self.tokenizer), self.end)

    def _decoder_for(self, n_positions: int) -> Decoder:
        """One that has room for so many tokens; a larger one, which has read nothing, has room for as many again."""
        if self._decoder is None or self._decoder.n_positions < n_positions:
            self._decoder = Decoder(self.model, 2 * n_positions)
        return self._decoder

    def _kept(self, messages: list[Message], pieces: Iterator[str]) -> Iterator[str]:
        answer = ""
        for piece in pieces:
            answer += piece
            yield piece
        self.messages = [*messages, {"role": "assistant", "content": answer}]
