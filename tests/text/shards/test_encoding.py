from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest

from minigpt.text.shards import encoding
from minigpt.text.shards.encoding import encoded
from minigpt.text.shards.streams import Bundle
from minigpt.text.tokenizers.characters import CharTokenizer

TOKENIZER = CharTokenizer.train("ab\n")
PIECES = [Bundle(("ab",), False), Bundle(("ba",), True)]


class BrokenPool:
    """An executor whose processes end before they have done anything."""

    workers_start = True

    def __init__(self, workers, context, initializer, initargs):
        _, started = initargs
        if self.workers_start:
            started.set()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit(self, function, piece):
        broken = Future()
        broken.set_exception(BrokenProcessPool("terminated abruptly"))
        return broken


def test_pieces_come_back_in_order_with_their_ids():
    found = [(piece, ids.tolist()) for piece, ids in encoded(PIECES, TOKENIZER, workers=1)]
    assert found == [(PIECES[0], TOKENIZER.encode("ab\n\n")), (PIECES[1], TOKENIZER.encode("ba\n\n"))]


@pytest.mark.parametrize(
    ("workers_start", "message"),
    [
        (True, "a worker process was killed before its work was done, .* start again with fewer workers, or with 1"),
        (False, 'the worker processes ended before they began: .* without if __name__ == "__main__": around it'),
    ],
)
def test_a_worker_that_ends_early_is_one_clear_error(monkeypatch, workers_start, message):
    monkeypatch.setattr(encoding, "ProcessPoolExecutor", BrokenPool)
    monkeypatch.setattr(BrokenPool, "workers_start", workers_start)
    with pytest.raises(ChildProcessError, match=message):
        list(encoded(PIECES, TOKENIZER, workers=2))
