"""Texts by name, to train on at once.

``python-docs`` comes with every CPython; ``tiny-world`` is made up on the spot; ``shakespeare`` is downloaded once,
checked and kept in a cache folder.
"""

import os
import re
import sys
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from minigpt.files.atomic import write_atomically
from minigpt.files.verified import sha256_of, sha256_of_file
from minigpt.text.encodings import decode_utf8

SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


@dataclass(frozen=True)
class Corpus:
    """A text that has a name: what it is, how to get it, and about how many bytes it has."""

    description: str
    load: Callable[[], str]
    n_bytes: int


def load_corpus(name: str) -> str:
    """The text of a corpus of :data:`CORPORA`.

    Args:
        name: "python-docs", "tiny-world" or "shakespeare".

    Raises:
        ValueError: if there is no such corpus, or it has to be downloaded and cannot be.
    """
    if name not in CORPORA:
        raise ValueError(f"there is no corpus {name!r}; choose {' or '.join(CORPORA)}, or give a file of your own")
    return CORPORA[name].load()


def python_docs() -> str:
    """The language reference of the running Python, from ``pydoc_data.topics``: about 340,000 characters of English.

    Topics follow in alphabetical order. Underlines of titles and frames of tables are dropped. Topics repeat whole
    sections of each other, so a paragraph is kept only where it first comes: the end of the text, on which a model is
    validated, is then no copy of what comes before. The text differs a little from one Python version to the next.
    """
    from pydoc_data.topics import topics

    paragraphs: dict[str, None] = {}
    for _, topic in sorted(topics.items()):
        prose = re.sub(r"(?m)^\s*([-=*~^\"'#.])\1{2,}$|^\s*[+|].*[+|]$", "", topic.replace("\r\n", "\n"))
        paragraphs |= dict.fromkeys(part.rstrip() for part in re.split(r"\n\s*\n", prose) if part.strip())
    return "\n\n".join(part.strip("\n") for part in paragraphs) + "\n"


def shakespeare() -> str:
    """Tiny Shakespeare: 1,115,394 characters of plays, from the char-rnn repository; downloaded once.

    Raises:
        ValueError: if it cannot be downloaded, or is not the expected text.
    """
    file = cached_download(SHAKESPEARE_URL, SHAKESPEARE_SHA256, cache_folder() / "tinyshakespeare.txt")
    return decode_utf8(file.read_bytes(), file)


def tiny_world() -> str:
    """7,000 English stories of the tiny world, 2.1 MB, one a line.

    The last tenth, on which a model is validated, comes from the validation world: it shares no combination of a
    person, a colour and a thing with what comes before. See :class:`minigpt.text.tinyworld.TinyWorld` for more stories,
    Chinese ones, and the entropy.
    """
    from minigpt.text.tinyworld import TinyWorld

    return TinyWorld(split="train").text(6300) + TinyWorld(split="validation").text(700)


#: The corpora by name.
CORPORA = {
    "python-docs": Corpus("the reference manual of the running Python; no download", python_docs, 340_000),
    "tiny-world": Corpus("micro-stories whose entropy is known, 2.1 MB; no download", tiny_world, 2_100_000),
    "shakespeare": Corpus("Tiny Shakespeare, 1.1 MB; downloaded once", shakespeare, 1_115_394),
}


def cache_folder() -> Path:
    """Where downloads are kept: ``MINIGPT_CACHE``, or ``minigpt`` in the user's cache folder."""
    if chosen := os.environ.get("MINIGPT_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "minigpt"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "minigpt"


def cached_download(url: str, sha256: str, destination: Path) -> Path:
    """Download ``url`` to ``destination``, unless a file with that SHA-256 is there already.

    Raises:
        ValueError: if the download fails, or gives other bytes than expected; ``destination`` is then not touched.
    """
    if destination.is_file() and sha256_of_file(destination) == sha256:
        return destination
    try:
        data = _download(url, destination.name)
    except (OSError, HTTPException) as error:
        raise ValueError(
            f"could not download {url}: {error!r}; connect this machine to the network, "
            f"or put the file at {destination} yourself"
        ) from error
    if (found := sha256_of(data)) != sha256:
        raise ValueError(
            f"{url} gave {len(data):,} bytes with SHA-256 {found}, expected {sha256}; "
            f"try again, or put the right file at {destination} yourself"
        )
    write_atomically(destination, data)
    return destination


def _download(url: str, label: str) -> bytes:
    from tqdm import tqdm

    data = bytearray()
    with urllib.request.urlopen(url, timeout=30) as response:
        size = int(response.headers.get("Content-Length") or 0) or None
        with tqdm(total=size, desc=label, unit="B", unit_scale=True, leave=False) as bar:
            while chunk := response.read(2**16):
                data += chunk
                bar.update(len(chunk))
    return bytes(data)
