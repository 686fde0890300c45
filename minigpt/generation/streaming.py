"""From a stream of tokens to a stream of text that is safe to show as it arrives.

A token of byte-level BPE may end in the middle of a character, and a stop string may arrive in several pieces. Two
small generators deal with one problem each, and both hold back only what cannot be decided yet:

    tokens ──> text_pieces (whole characters) ──> cut_at_stop (nothing of a stop string) ──> reader
"""

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

_Token = TypeVar("_Token")


def text_pieces(tokens: Iterable[_Token], token_bytes: Callable[[_Token], bytes]) -> Iterator[str]:
    """Decode tokens to text, a piece at a time, never splitting a UTF-8 sequence.

    Args:
        tokens: token ids, or whatever else ``token_bytes`` takes.
        token_bytes: the UTF-8 bytes of one token, which may be part of a character.

    Yields:
        Non-empty pieces. Joined, they equal ``b"".join(map(token_bytes, tokens)).decode(errors="replace")``: bytes that
        are not UTF-8 become U+FFFD, and so does a character that the last token left unfinished.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    for token in tokens:
        if piece := decoder.decode(token_bytes(token)):
            yield piece
    if rest := decoder.decode(b"", final=True):
        yield rest


def cut_at_stop(pieces: Iterable[str], stop: Sequence[str]) -> Iterator[str]:
    """Pass text through up to the stop string that is completed first, and end there.

    An end that may be the start of a stop string waits until the next piece decides. No piece is read after the stop.

    Args:
        pieces: text.
        stop: stop strings, none of them empty.

    Yields:
        Non-empty pieces, without the stop string or what follows it.
    """
    waiting = ""
    for piece in pieces:
        waiting += piece
        # (end, start): the stop string completed first wins, whatever the pieces it arrived in.
        found = [(at + len(s), at) for s in stop if (at := waiting.find(s)) >= 0]
        ready = min(found)[1] if found else len(waiting) - _undecided(waiting, stop)
        if ready:
            yield waiting[:ready]
        if found:
            return
        waiting = waiting[ready:]
    if waiting:
        yield waiting


def _undecided(text: str, stop: Sequence[str]) -> int:
    """The length of the longest end of ``text`` that begins, but does not complete, a stop string."""
    longest = max((len(s) for s in stop), default=1) - 1
    lengths = range(min(longest, len(text)), 0, -1)
    return next((n for n in lengths if any(s.startswith(text[-n:]) for s in stop)), 0)
