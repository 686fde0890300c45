"""What a run reads: a text, prepared shards or a task of the tiny world, and the tokenizer between text and ids."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from minigpt.settings import Range, check_choice, check_types, shown
from minigpt.text.corpora import CORPORA
from minigpt.text.reading import check_fraction, text_files
from minigpt.text.tinyworld import TASKS
from minigpt.text.tinyworld.rendering import LANGUAGES

MOST_TOKENS = 10**6  # of a BPE tokenizer that is trained here


@dataclass(frozen=True, kw_only=True)
class Source:
    """Text: what to read, and how it becomes tokens.

    Attributes:
        text: UTF-8 text file, or a folder of them.
        glob: pattern of the files that are read of a folder, such as `*.py` (default: those ending in .txt, .text, .md
            or .rst).
        special_tokens: read the text `<|endoftext|>` as the token of that name, as in files that hold many documents.
        corpus: corpus by name, where no text is given: python-docs, tiny-world or shakespeare.
        data: folder that `minigpt prepare` made, in place of a text.
        task: task of the tiny world, in place of a text: story, translate, qa or dialogue; its examples have no end.
        language: language of a task's stories: en, zh, or both in turn.
        from_pretrained: folder of Hugging Face with a GPT-2, Llama, Qwen2, Qwen3, Mistral or Mixtral, whose weights the
            run starts from, with its tokenizer; `minigpt export` makes one of a GGUF file or of smollm2.
        tokenizer: tokenizer: char, bpe:1024 (trained here, to that many tokens), gpt2, or a saved tokenizer's
            file (none = that of the pretrained model).
        validation_fraction: share of the text, at its end, that is kept for validation.
        documents: read the text as documents, a row each, and not as one long row of tokens.
        epochs: passes over the documents, which decide the number of steps (default: none, the steps are given).
        reading: share of the steps, from the first on, in which a sample of what a task gives counts as well as what is
            to be answered: a model that has learnt to read learns to answer sooner.
    """

    text: Path | None = None
    glob: str | None = None
    special_tokens: bool = False
    corpus: str = "python-docs"
    data: Path | None = None
    task: str | None = None
    language: str = "en"
    from_pretrained: Path | None = None
    tokenizer: str | None = "char"
    validation_fraction: float = 0.1
    documents: bool = False
    epochs: Annotated[int | None, Range(1, 10**6)] = None
    reading: Annotated[float, Range(0.0, 1.0, "[]", ": it is a share of the steps")] = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_fraction(self.validation_fraction)
        check_choice("corpus", self.corpus, CORPORA)
        check_choice("language", self.language, (*LANGUAGES, "both"))
        if self.epochs is not None and not self.documents:
            raise ValueError(f"epochs={self.epochs} needs documents=True: they are passes over documents")
        if self.task is not None:
            check_choice("task", self.task, TASKS)
            if given := [name for name in ("text", "data") if getattr(self, name) is not None]:
                raise ValueError(f"task={self.task!r} makes up its own text; leave {' and '.join(given)} out")
        if self.text is None:
            _check_for_texts(self)
        if self.tokenizer is None and self.from_pretrained is None:
            raise ValueError("tokenizer=None is that of a pretrained model, and there is none; try tokenizer='char'")
        if self.tokenizer is not None:
            check_tokenizer(self.tokenizer)
        if self.documents and self.data is not None:
            raise ValueError(f"documents=True reads a text, and {self.data} holds one long row of tokens; give a text")
        if self.documents and self.special_tokens:
            raise ValueError("special_tokens=True is for one long row of tokens, and documents=True reads a row each")

    @property
    def n_bytes(self) -> int | None:
        """About how many bytes of text there are to read; ``None`` where nothing is known."""
        makes_it_up = self.task is not None or self.data is not None
        return text_bytes(self.text, None if makes_it_up else self.corpus, self.glob)


_OF_TEXTS = frozenset({"tokenizer", "validation_fraction", "documents", "epochs"})


def settings_in_effect(source: Source) -> frozenset[str]:
    """The names of the settings that decide what a source gives; the others belong to sources of another kind.

    Args:
        source: of a run.
    """
    if source.task is not None:
        own = frozenset({"task", "language", "tokenizer", "reading"})
    elif source.data is not None:
        own = frozenset({"data"})
    elif source.text is not None:
        own = _OF_TEXTS | {"text", "glob", "special_tokens"}
    else:
        own = _OF_TEXTS | {"corpus"}
    return own | {"from_pretrained"}


def text_bytes(text: Path | None, corpus: str | None = None, glob: str | None = None) -> int | None:
    """About how many bytes there are to read; ``None`` where nothing is known.

    Args:
        text: a file, or a folder of files.
        corpus: what is read if no text is given; ``None``: the run makes up its text, or reads prepared shards.
        glob: of a folder, the files that are read; ``None``: those that end as texts do.
    """
    if text is None:
        return CORPORA[corpus].n_bytes if corpus in CORPORA else None
    try:
        return sum(file.stat().st_size for file in text_files(text, glob) if file.is_file()) or None
    except (OSError, ValueError):
        return None


def _check_for_texts(source: Source) -> None:
    """Refuse what only says how text files are read, where there are none."""
    if source.glob is not None:
        raise ValueError(f"glob={source.glob!r} chooses files of a folder; name the folder with text")
    if source.special_tokens:
        raise ValueError("special_tokens=True is for text files, which text names; `minigpt prepare` has it for shards")


def check_tokenizer(name: str) -> None:
    """Refuse the name of a tokenizer whose form says nothing.

    Args:
        name: "char", "bpe", "bpe:1024", a tiktoken name, or a file, which is not looked for here.

    Raises:
        ValueError: if it is empty, or what follows the colon does not belong there.
    """
    kind, colon, _ = name.partition(":")
    if not name:
        raise ValueError("tokenizer='' names none; choose char, bpe:1024, gpt2 or a saved tokenizer's file")
    if kind == "char" and colon:
        raise ValueError(
            f"tokenizer={name!r}: a char tokenizer has as many tokens as the text has characters, so no number can be "
            "chosen; try tokenizer='char' or 'bpe:1024'"
        )
    if kind == "bpe":
        vocabulary_of(name)


def vocabulary_of(name: str) -> int:
    """How many tokens a name such as "bpe:1024" asks for; "bpe" means 1024.

    Raises:
        ValueError: if what follows the colon is not a number, or is too large.
    """
    _, colon, size = name.partition(":")
    if colon and not (size.isdecimal() and len(size) <= len(str(MOST_TOKENS)) and int(size) <= MOST_TOKENS):
        raise ValueError(
            f"tokenizer={shown(name)}: after 'bpe:' comes the number of tokens, up to {MOST_TOKENS:,}, as in bpe:1024"
        )
    return int(size or 1024)
