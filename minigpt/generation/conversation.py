"""A conversation with a model: each line becomes a prompt, and what was said before stays in the model's context."""

from collections.abc import Callable, Iterator

from minigpt.generation.borders import Borders
from minigpt.generation.decoder import Decoder
from minigpt.generation.sampler import GREEDY, Sampler
from minigpt.generation.text import stream_text
from minigpt.model import GPT
from minigpt.text import Tokenizer

Prompt = Callable[[str, str], str]  # from what was said before and a new line to the text that the model continues
BORDERS = Borders(end=("\n",))  # an answer is one line


class Conversation:
    """Lines in, answers out, until the context is full.

    Args:
        model: trained to answer prompts of this kind with one line.
        tokenizer: the one that it was trained with.
        prompt: turns what was said before and a new line into the text that the model continues;
            ``TASKS[name].prompt`` of the tiny world is one.
        sampler: chooses each token.
        seed: of the draws, new for each answer.
    """

    def __init__(
        self, model: GPT, tokenizer: Tokenizer, prompt: Prompt, *, sampler: Sampler = GREEDY, seed: int = 0
    ) -> None:
        self.model, self.tokenizer, self.prompt = model, tokenizer, prompt
        self.sampler, self.seed = sampler, seed
        self.said = ""
        self._decoder: Decoder | None = None

    def reply(self, line: str) -> Iterator[str]:
        """The answer to a line, piece by piece; what was said is kept once the last piece was read.

        Raises:
            ValueError: if the line is not a prompt, or the conversation has become longer than the model's context.
        """
        prompt, limit = self.prompt(self.said, line), self.model.config.context_length
        room = limit - len(self.tokenizer.encode(prompt))
        if room < 1:
            raise ValueError(
                f"the conversation is longer than the {limit} tokens that this model sees at once; start a new one"
            )
        self._decoder = self._decoder or Decoder(self.model)  # what it has read is not read again
        pieces = stream_text(
            self._decoder,
            self.tokenizer,
            prompt,
            self.sampler,
            max_new_tokens=room,
            borders=BORDERS,
            seed=self.seed + len(self.said),
        )
        return self._kept(prompt, pieces)

    def start_anew(self) -> None:
        """Forget what was said."""
        self.said = ""

    def _kept(self, prompt: str, pieces: Iterator[str]) -> Iterator[str]:
        answer = ""
        for piece in pieces:
            answer += piece
            yield piece
        self.said = f"{prompt}{answer}\n"
