"""Commands from text to tokens: `minigpt clean`, `contamination`, `prepare` and `tokenizer`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Annotated

import tyro

import minigpt as mg
from minigpt.cli.output import command, print_json
from minigpt.runs import build_tokenizer
from minigpt.text import PreparedCorpus, TextFiles, dataset_documents, first_text, prepare_documents
from minigpt.text.cleaning import QUALITY_RULES, ExactDuplicates, NearDuplicates, QualityFilter, documents_of
from minigpt.text.reading import read_files


@dataclass(frozen=True, kw_only=True)
class Clean:
    """Copy texts to another folder, without duplicates and poor texts, and report what was removed and why.

    The new folder has the files that stay, report.json with counts and examples, and removed.jsonl with a line for each
    document that was removed.

    Attributes:
        source: a UTF-8 text file or a folder of files; each file is a document.
        out: the folder for the texts that stay.
        glob: pattern of the files of a folder, such as "*.py" (default: those ending in .txt, .text, .md or .rst).
        separator: text between the documents of a file that has several, such as "<|endoftext|>".
        similarity: estimated Jaccard similarity from which on a document is a near copy of an earlier one.
        min_words: the fewest words of a document, or characters in Chinese.
        duplicates_only: apply no quality rule, --min-words included.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")]
    out: Path
    glob: str | None = None
    separator: str | None = None
    similarity: float = 0.8
    min_words: int = 20
    duplicates_only: bool = False

    def __call__(self) -> None:
        """Write the folder and print the report."""
        rules = [replace(rule, low=self.min_words) if rule.name == "few words" else rule for rule in QUALITY_RULES]
        quality = () if self.duplicates_only else (QualityFilter(rules),)
        stages = (ExactDuplicates(), *quality, NearDuplicates(self.similarity))
        report = mg.clean_files(TextFiles(self.source, self.glob), self.out, stages, separator=self.separator)
        print(report)
        if report.n_documents == 1 and self.separator is None:
            print(
                "the whole file is one document; if it holds several, give the text between them, as in "
                "--separator '<|endoftext|>'"
            )
        print(f"{self.out}: the texts that stay, report.json and removed.jsonl")
        tokens = ["--special-tokens"] if self.separator == "<|endoftext|>" else []
        names = [] if self.glob is None else ["--glob", self.glob]
        shards = Path("data") / (self.out.resolve().name or "texts")
        print(f"next: {command('minigpt', 'prepare', self.out, *names, *tokens, '--out', shards)}")


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """How much of a test set is in the training text: the share of its n-grams, and the documents with most of them.

    Attributes:
        train: a UTF-8 text file or a folder of files, to learn from.
        test: the same, to be tested on.
        n: words in an n-gram, or characters in Chinese.
        worst: the most documents that are listed.
        glob: pattern of the files of folders, such as "*.py" (default: those ending in .txt, .text, .md or .rst).
        separator: text between the documents of a file that has several, such as "<|endoftext|>".
        json: print the figures as JSON, and nothing else.
    """

    train: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TRAIN")]
    test: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEST")]
    n: int = 13
    worst: int = 5
    glob: str | None = None
    separator: str | None = None
    json: bool = False

    def __call__(self) -> None:
        """Print the report."""
        train, test = (documents_of(TextFiles(each, self.glob), separator=self.separator)
                       for each in (self.train, self.test))  # fmt: skip
        report = mg.contamination((text for _, text in train), dict(test), self.n, worst=self.worst)
        print_json(report.to_object()) if self.json else print(report)


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a text, a folder of texts or a dataset into token shards that `minigpt train --data` reads from disk.

    Attributes:
        source: a UTF-8 text file, a pipe such as /dev/stdin, or a folder of files.
        glob: pattern of the files of a folder, such as "*.py" (default: those ending in .txt, .text, .md or .rst).
        special_tokens: read the text "<|endoftext|>" as the token of that name, as in files that hold many documents.
        dataset: instead of a text, a dataset from Hugging Face, such as "roneneldan/TinyStories", or a JSONL or Parquet
            file; it is streamed, a document a row.
        subset: of a dataset that has several.
        split: of the dataset.
        column: of the dataset, which holds the texts.
        documents: the most documents to take from the dataset.
        out: the folder for the shards.
        tokenizer: "char", "bpe:1024" (trained on the source), "gpt2", or a saved tokenizer's file.
        validation_fraction: the share that is kept for validation: the end of a text, documents here and there.
        workers: processes; without it, one for each core.
    """

    source: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")] = None
    glob: str | None = None
    special_tokens: bool = False
    dataset: str | None = None
    subset: str | None = None
    split: str = "train"
    column: str = "text"
    documents: int | None = None
    out: Path
    tokenizer: str = "gpt2"
    validation_fraction: float = 0.1
    workers: int | None = None

    def __call__(self) -> None:
        """Write the shards and say how large they are."""
        if (self.source is None) == (self.dataset is None):
            raise ValueError("give either a text or --dataset, and not both: minigpt prepare texts --out data/texts")
        if self.dataset is not None and (self.glob is not None or self.special_tokens):
            raise ValueError("--glob and --special-tokens are for text files, not for --dataset; leave them out")
        prepared = self._prepare_text(self.source) if self.source else self._prepare_dataset()
        print(
            f"{self.out}: {prepared.n_train_tokens:,} tokens to learn from, {prepared.n_validation_tokens:,} to test on"
        )
        print(f"next: {command('minigpt', 'train', '--data', self.out, '--out', free_run_folder(self.out))}")

    def _prepare_text(self, source: Path) -> PreparedCorpus:
        with TextFiles(source, self.glob).on_disk() as files:
            text = read_files(files) if self._trains_tokenizer else ""
            return mg.prepare(
                TextFiles(files, special_tokens=self.special_tokens),
                build_tokenizer(self.tokenizer, text),
                self.out,
                validation_fraction=self.validation_fraction,
                workers=self.workers,
            )

    def _prepare_dataset(self) -> PreparedCorpus:
        if self.tokenizer == "char":
            raise ValueError(
                "tokenizer='char' must see every character beforehand; with --dataset use bpe:1024 or gpt2"
            )
        tokenizer = build_tokenizer(self.tokenizer, first_text(self._stream()) if self._trains_tokenizer else "")
        return prepare_documents(
            self._stream(), tokenizer, self.out, validation_fraction=self.validation_fraction, workers=self.workers
        )

    @property
    def _trains_tokenizer(self) -> bool:
        return self.tokenizer.partition(":")[0] in ("char", "bpe")

    def _stream(self) -> Iterator[str]:
        assert self.dataset is not None
        rows = dataset_documents(self.dataset, subset=self.subset, split=self.split, column=self.column)
        return islice(rows, self.documents)


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    r"""Train a byte-pair tokenizer on a text, save it, and show how it cuts a sentence.

    A character that is cut into several tokens is shown with their bytes, as in "你 = \xe4\xbd + \xa0".

    Attributes:
        text: a UTF-8 text file or a folder of them.
        corpus: a corpus by name, used where no text is given.
        vocab_size: how many tokens, the 256 bytes and <|endoftext|> included.
        out: the file to write.
        force: replace the file if it exists.
        show: the sentence to cut.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    vocab_size: int = 1024
    out: Path = Path("tokenizer.json")
    force: bool = False
    show: str = "The transformer attends to every token. 你好，世界"

    def __call__(self) -> None:
        """Train, save, and show the pieces."""
        if self.out.exists() and not self.force:
            raise ValueError(f"{self.out} exists already; name another file with --out, or replace it with --force")
        text = mg.load_corpus(self.corpus) if self.text is None else mg.read_text(self.text)
        tokenizer = mg.BPETokenizer.train(text, self.vocab_size)
        tokenizer.save(self.out)
        ids = tokenizer.encode(self.show)
        n_bytes, n_ids = len(text.encode()), len(tokenizer.encode(text))
        fewer = "" if tokenizer.vocab_size == self.vocab_size else f" of {self.vocab_size}: no pair is left to merge"
        print(
            f"{self.out}: {tokenizer.vocab_size} tokens{fewer}; {n_bytes / n_ids:.2f} bytes per token on its own text"
        )
        print(" | ".join(map(_shown_group, grouped(map(tokenizer.token_bytes, ids)))))


def free_run_folder(data: Path) -> Path:
    """A folder below runs/ that does not exist yet, named after the data."""
    name = Path("runs") / (data.resolve().name or "data")
    return next(path for i in count(1) if not (path := name if i == 1 else Path(f"{name}-{i}")).exists())


def grouped(pieces: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The tokens, those together that have parts of one character; bytes that are not UTF-8 stay alone.

    Args:
        pieces: the bytes of the tokens, in order.
    """
    waiting: list[bytes] = []
    for piece in pieces:
        waiting.append(piece)
        try:
            b"".join(waiting).decode()
        except UnicodeDecodeError as error:
            if error.reason == "unexpected end of data":  # the next token may have the rest of the character
                continue
            yield from ([each] for each in waiting)
        else:
            yield waiting
        waiting = []
    yield from ([each] for each in waiting)


def _shown_group(pieces: list[bytes]) -> str:
    """A token; or a text and the tokens that it is spread over."""
    if len(pieces) == 1:
        return _shown(pieces[0])
    return f"{_shown(b''.join(pieces))} = {' + '.join(map(_shown, pieces))}"


def _shown(piece: bytes) -> str:
    """The bytes of a token as text; a byte that is not UTF-8, and a character that prints nothing, as an escape."""
    text = piece.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
