"""Commands that turn text into tokens: `minigpt prepare` and `minigpt tokenizer`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import minigpt as mg
from minigpt.train import build_tokenizer


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a text, or a folder of texts, into token shards that `minigpt train --data` reads from disk.

    Attributes:
        source: a UTF-8 text file or a folder of them.
        out: the folder for the shards.
        tokenizer: "char", "bpe:1024" (trained on the source), "gpt2", or a saved tokenizer's file.
        validation_fraction: the share at the end that is kept for validation.
        workers: processes; without it, one for each core.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")]
    out: Path
    tokenizer: str = "gpt2"
    validation_fraction: float = 0.1
    workers: int | None = None

    def __call__(self) -> None:
        """Write the shards and say how large they are."""
        needs_text = self.tokenizer.partition(":")[0] in ("char", "bpe")
        tokenizer = build_tokenizer(self.tokenizer, mg.read_text(self.source) if needs_text else "")
        prepared = mg.prepare(
            self.source, tokenizer, self.out, validation_fraction=self.validation_fraction, workers=self.workers
        )
        print(
            f"{self.out}: {prepared.n_train_tokens:,} tokens to learn from, {prepared.n_validation_tokens:,} to test on"
        )
        print(f"next: minigpt train --data {self.out} --out runs/mine")


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """Train a byte-pair tokenizer on a text, save it, and show how it cuts a sentence.

    Attributes:
        text: a UTF-8 text file or a folder of them.
        corpus: a corpus by name, used where no text is given.
        vocab_size: how many tokens, the 256 bytes and <|endoftext|> included.
        out: the file to write.
        show: the sentence to cut.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    vocab_size: int = 1024
    out: Path = Path("tokenizer.json")
    show: str = "The transformer attends to every token. 你好，世界"

    def __call__(self) -> None:
        """Train, save, and show the pieces."""
        text = mg.load_corpus(self.corpus) if self.text is None else mg.read_text(self.text)
        tokenizer = mg.BPETokenizer.train(text, self.vocab_size)
        tokenizer.save(self.out)
        ids = tokenizer.encode(self.show)
        n_bytes, n_ids = len(text.encode()), len(tokenizer.encode(text))
        print(f"{self.out}: {tokenizer.vocab_size} tokens; {n_bytes / n_ids:.2f} bytes per token on its own text")
        print(" | ".join(repr(tokenizer.token_bytes(token).decode(errors="backslashreplace"))[1:-1] for token in ids))
