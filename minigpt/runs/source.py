"""What a run reads: a text, prepared shards or a task of the tiny world, and the tokenizer between text and ids."""

from dataclasses import dataclass
from pathlib import Path

from minigpt.settings import check_types
from minigpt.text.reading import check_fraction
from minigpt.text.tinyworld import TinyWorld, task_of


@dataclass(frozen=True, kw_only=True)
class Source:
    """Text: what to read, and how it becomes tokens.

    Attributes:
        text: UTF-8 text file, or a folder of them.
        corpus: corpus by name, where no text is given: python-docs, tiny-world or shakespeare.
        data: folder that `minigpt prepare` made, in place of a text.
        task: task of the tiny world, in place of a text: story, translate, qa or dialogue; its examples have no end.
        language: language of a task's stories: en, zh, or both in turn.
        from_pretrained: folder of Hugging Face with a GPT-2, whose weights the run starts from, with its tokenizer.
        tokenizer: tokenizer: char, bpe:1024 (trained here, to that many tokens), gpt2, or a saved tokenizer's file
            (none = that of the pretrained model).
        validation_fraction: share of the text, at its end, that is kept for validation.
        documents: read the text as documents, a row each, and not as one long row of tokens.
        epochs: passes over the documents, which decide the number of steps (default: none, the steps are given).
        reading: share of the steps, from the first on, in which a sample of what a task gives counts as well as what is
            to be answered: a model that has learnt to read learns to answer sooner.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    data: Path | None = None
    task: str | None = None
    language: str = "en"
    from_pretrained: Path | None = None
    tokenizer: str | None = "char"
    validation_fraction: float = 0.1
    documents: bool = False
    epochs: int | None = None
    reading: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_fraction(self.validation_fraction)
        if not 0 <= self.reading <= 1:
            raise ValueError(f"reading={self.reading} must lie in [0, 1]: it is a share of the steps")
        if self.epochs is not None and (self.epochs < 1 or not self.documents):
            raise ValueError(f"epochs={self.epochs} must be at least 1 and needs documents=True, got {self.documents}")
        if self.task is not None:
            task_of(self.task)
            TinyWorld(self.language)
            if given := [name for name in ("text", "data") if getattr(self, name) is not None]:
                raise ValueError(f"task={self.task!r} makes up its own text; leave {' and '.join(given)} out")
        if self.tokenizer is None and self.from_pretrained is None:
            raise ValueError("tokenizer=None is that of a pretrained model, and there is none; try tokenizer='char'")
        if self.documents and self.data is not None:
            raise ValueError(f"documents=True reads a text, and {self.data} holds one long row of tokens; give a text")
