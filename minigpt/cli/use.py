"""Commands that use a trained model: `minigpt sample`, `minigpt chat` and `minigpt eval`."""

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from secrets import randbelow
from typing import Annotated, Any

import tyro

import minigpt as mg
from minigpt.cli.output import print_json
from minigpt.generation import Borders, ChatConversation, Conversation, Sampler
from minigpt.generation.inference import WeightsName
from minigpt.generation.sampler import GREEDY
from minigpt.generation.text import stream_text
from minigpt.pretrained.sources import check_spelling, is_pretrained
from minigpt.runs import RunConfig, open_splits
from minigpt.runs.borders import borders_of, first_words
from minigpt.runs.config import RUN_FILE
from minigpt.runs.read_files import check_unchanged
from minigpt.settings.language import Bilingual
from minigpt.text import ChatFormat, Dataset, Tokenizer
from minigpt.text.reading import read_texts
from minigpt.text.tinyworld import TASKS, task_of
from minigpt.text.tokenizers.bpe import END_OF_TEXT

NEW_SEEDS = 10**6  # from which a new one is drawn: few digits to type again
CHAT_TOKENS = 1000  # the most of one answer
_FLOOR = Bilingual("floor: {:.4f} nats per token", "下界：每词元 {:.4f} 奈特")
OutFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Let a trained model write: from the start of a document of its text to the end of one.

    Each call draws another text, and says on stderr with which --seed it is written again.

    Attributes:
        out: the run folder that `minigpt train` filled; or a model that others trained: "smollm2", a GGUF file, a
            folder of Hugging Face.
        prompt: first words of the document; a prompt that begins with a dash is written --prompt=-like-this.
        max_new_tokens: the most tokens to add.
        sampler: how each token is chosen.
        stop: strings before which the text ends (default: none).
        weights: numbers of the matrices: "float32", "bfloat16" or "int8"; fewer bytes are faster and less exact.
        seed: random seed of the draws (default: a new one, which is shown).
    """

    out: OutFolder
    prompt: str = ""
    max_new_tokens: int = 300
    sampler: Annotated[Sampler, tyro.conf.arg(name="")] = Sampler(temperature=0.8)  # --temperature, --top-k, --top-p
    stop: tuple[str, ...] = ()
    weights: WeightsName = "float32"
    seed: Annotated[int | None, tyro.conf.arg(help_behavior_hint="")] = None

    def __call__(self) -> None:
        """Print the prompt and its continuation, piece by piece."""
        model, tokenizer = _opened(self.out)
        seed = randbelow(NEW_SEEDS) if self.seed is None else self.seed
        prompt, borders = self._start(tokenizer, seed)
        if self.seed is None:
            print(f"seed {seed}: --seed {seed} writes this text again", file=sys.stderr, flush=True)
        pieces = stream_text(
            mg.for_generation(model, self.weights),
            tokenizer,
            prompt,
            self.sampler,
            max_new_tokens=self.max_new_tokens,
            borders=borders.stopping(self.stop),
            seed=seed,
        )
        print(prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()

    def _start(self, tokenizer: Tokenizer, seed: int) -> tuple[str, Borders]:
        """The prompt, or words that begin a document where there is nothing else to start from; and its borders."""
        if is_pretrained(self.out):
            return self.prompt, Borders(end=_ends(tokenizer), bos=getattr(tokenizer, "bos", ""))
        if not (self.out / RUN_FILE).is_file():  # trained by mg.train, which does not say on what
            return self.prompt or "\n", Borders()
        config = RunConfig.read(self.out)
        borders = borders_of(config, tokenizer)
        return self.prompt or ("" if borders.before else first_words(config, tokenizer, seed)), borders


@dataclass(frozen=True, kw_only=True)
class Chat:
    """Talk with a model that was trained by `minigpt train --task`, or with one that others trained to chat.

    Attributes:
        out: the run folder; or "smollm2", a GGUF file, a folder of Hugging Face.
        system: what a model that others trained is told before the conversation (default: what its own template says).
        sampler: how each token is chosen.
        weights: numbers of the matrices: "float32", "bfloat16" or "int8"; fewer bytes are faster and less exact.
        seed: random seed of the draws (default: a new one).
    """

    out: OutFolder
    system: str | None = None
    sampler: Annotated[Sampler, tyro.conf.arg(name="")] = GREEDY
    weights: WeightsName = "float32"
    seed: Annotated[int | None, tyro.conf.arg(help_behavior_hint="")] = None

    def __call__(self) -> None:
        """Answer line after line; an empty line starts anew, and the end of the input ends.

        Where the lines are not typed at a terminal, the answers alone are printed.

        Ctrl-C ends an answer, which is then forgotten with its question; where a line is typed, it ends the chat.
        """
        check_spelling(self.out)
        if is_pretrained(self.out):
            return _talk(self._with_pretrained())
        if self.system is not None:
            raise ValueError("--system is for models that others trained to chat; a run with a task has none")
        config = RunConfig.read(self.out)
        if config.source.task is None:
            raise ValueError(
                f"the run in {self.out} has no task to talk about: use `minigpt sample {self.out}`, or train a model "
                f"with --task {' or '.join(TASKS)}"
            )
        (model, tokenizer), task = mg.load_model(self.out), task_of(config.source.task)
        conversation = Conversation(mg.for_generation(model, self.weights), tokenizer, task.prompt, **self._draws())
        if _is_typed():
            example = textwrap.indent("".join(part.text for part in task.example(_world(config), 0)), "  ")
            print(f"This model was trained to {task.summary}. For instance:\n\n{example}")
            print("Now you. ", end="")
        _talk(conversation)

    def _with_pretrained(self) -> ChatConversation:
        model, tokenizer = mg.load_pretrained(self.out)
        options = {"system": self.system, "max_new_tokens": CHAT_TOKENS, **self._draws()}
        return ChatConversation(mg.for_generation(model, self.weights), tokenizer, **options)

    def _draws(self) -> dict[str, Any]:
        return {"sampler": self.sampler, "seed": randbelow(NEW_SEEDS) if self.seed is None else self.seed}


@dataclass(frozen=True, kw_only=True)
class Eval:
    """Measure a trained model: its loss on a whole text, or how well it does its task.

    Attributes:
        out: the run folder that `minigpt train` filled.
        text: a UTF-8 text file or a folder of them; without it, what the run was trained for: its own validation split,
            or its task on a world that it has not seen.
        task: a task of the tiny world, where it is not the run's own: "story", "translate", "qa" or "dialogue".
        examples: number of examples of a task that are asked.
        verify: read the run's prepared shards whole, and compare them with their SHA-256.
        json: print the figures as JSON, and nothing else.
    """

    out: OutFolder
    text: Path | None = None
    task: str | None = None
    examples: int = 500
    verify: bool = False
    json: bool = False

    def __call__(self) -> None:
        """Print the figures."""
        model, tokenizer = mg.load_model(self.out)
        config = RunConfig.read(self.out)
        task = self.task or config.source.task
        if self.text is not None:
            texts = read_texts(self.text)
            data: Dataset = mg.TokenDataset.from_text(texts, tokenizer, model.config.context_length)
            report: _Report = mg.evaluate(model, data, tokenizer)
        elif task == "story":
            report = mg.evaluate_stories(model, _world(config), tokenizer, self.examples)
        elif task is not None:
            report = mg.evaluate_task(model, task, _world(config), tokenizer, self.examples)
        else:
            _, learnt, data = open_splits(config, tokenizer)
            check_unchanged(self.out, config.source, learnt, data, verify=self.verify)
            report = mg.evaluate(model, data, tokenizer)
        floor = data.floor if task is None and self.text is None else None
        if self.json:
            print_json(report.to_object() | ({} if floor is None else {"floor": floor}))
            return
        print(report)
        if floor is not None:
            print(_FLOOR.spoken().format(floor))


_Report = mg.Evaluation | mg.StoryReport | mg.TaskReport


def _opened(out: Path) -> tuple[mg.GPT, Tokenizer]:
    """The model and the tokenizer of a run, or of a model that others trained."""
    check_spelling(out)
    return mg.load_pretrained(out) if is_pretrained(out) else mg.load_model(out)


def _ends(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The special tokens at which a model that others trained ends a text."""
    chat: ChatFormat | None = getattr(tokenizer, "chat", None)
    ends = (END_OF_TEXT, *(() if chat is None else chat.end))
    return tuple(end for end in ends if end in tokenizer.special_tokens)


def _talk(conversation: Conversation | ChatConversation) -> None:
    """Answer line after line until the input ends."""
    if _is_typed():
        print("An empty line starts anew, Ctrl-C ends an answer, Ctrl-D the chat.")
    while (line := _ask()) is not None:
        try:
            for piece in conversation.reply(line) if line else ():
                print(piece, end="", flush=True)
            print()
        except ValueError as error:
            print(error)
        except KeyboardInterrupt:
            print(" …")
        if not line:
            conversation.start_anew()


def _is_typed() -> bool:
    """Whether a person types the lines, at a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def _ask() -> str | None:
    """The next line that is typed; ``None`` at the end of the input."""
    try:
        return input("> " if _is_typed() else "").strip()
    except EOFError:
        return None


def _world(config: RunConfig) -> mg.TinyWorld:
    """A world that the run has not seen."""
    return mg.TinyWorld(config.source.language, split="test")
