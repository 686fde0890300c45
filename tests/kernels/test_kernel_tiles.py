"""The kernels and ``minigpt.learn``: the same tiles in the same order, with the same numbers after each."""

import math
import sys

import pytest
import torch
from attention_cases import DEVICE, surroundings

from minigpt.kernels import flash_forward
from minigpt.kernels import fused_attention as kernels
from minigpt.learn import tiled_attention

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning"),
    pytest.mark.skipif(DEVICE == "cuda", reason="only Triton's interpreter lets us look inside"),
]


@pytest.fixture
def kernel_tiles(monkeypatch):
    """What the forward kernel has computed before each tile that it loads: block, first key, m in nats, l and o."""
    seen, load_tile = [], flash_forward.load_tile

    def spy(tile, first_row, *rest):
        inside = sys._getframe(1).f_locals
        if "m" in inside and tile is inside["k_tile"]:
            m, l, o = (inside[name].handle.data.copy() for name in ("m", "l", "o"))
            seen.append((int(inside["first_query"]), int(first_row), m / math.log2(math.e), l, o))
        return load_tile(tile, first_row, *rest)

    monkeypatch.setattr(flash_forward, "load_tile", spy)
    return seen


@pytest.mark.parametrize(
    ("lengths", "options"),
    [((48, 48), {}), ((48, 48), {"window": 20}), ((32, 64), {}), ((32, 48), {"causal": False})],
    ids=str,
)
def test_the_kernel_visits_the_same_tiles_and_holds_the_same_numbers(lengths, options, kernel_tiles):
    q, k, v = (torch.randn(n, 16) for n in (lengths[0], lengths[1], lengths[1]))
    with surroundings((16, 16)):
        o, lse = kernels.fused_attention(q[None, None], k[None, None], v[None, None], **options)
    tiled = tiled_attention(q, k, v, blocks=(16, 16), **options)
    torch.testing.assert_close(o[0, 0], tiled.output, rtol=0, atol=2e-6)
    torch.testing.assert_close(lse[0, 0], tiled.lse, rtol=0, atol=3e-6)
    kernel_tiles.sort(key=lambda tile: tile[:2])  # its programs run last block first
    assert [tile[:2] for tile in kernel_tiles] == [(tile.queries.start, tile.keys.start) for tile in tiled.tiles]
    n_compared = 0
    for before, (block, _, *state) in zip([None, *tiled.tiles], kernel_tiles, strict=False):
        if before is not None and before.queries.start == block:
            for ours, theirs in zip((before.m, before.l, before.o), state, strict=True):
                torch.testing.assert_close(torch.from_numpy(theirs), ours, rtol=2e-6, atol=2e-6)
                n_compared += 1
    assert n_compared == 3 * (len(tiled.tiles) - lengths[0] // 16)
