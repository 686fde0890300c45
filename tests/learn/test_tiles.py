import math

import pytest
import torch

from minigpt.learn import online_softmax, tiled_attention
from minigpt.model import causal_attention, causal_mask, masked_attention

CASES = [
    pytest.param((1, 1), {}, id="one"),
    pytest.param((13, 13), {"blocks": (4, 4)}, id="ragged"),
    pytest.param((13, 20), {"blocks": (5, 3)}, id="past"),
    pytest.param((9, 5), {"blocks": (2, 4)}, id="sees-nothing"),
    pytest.param((17, 17), {"blocks": (4, 4), "window": 6}, id="window"),
    pytest.param((6, 11), {"blocks": (4, 4), "causal": False, "scale": 1.0}, id="full"),
]


def draw(n_queries, n_keys, width=3, dtype=torch.float64):
    return (torch.randn(n, width, dtype=dtype) for n in (n_queries, n_keys, n_keys))


def mask_of(n_queries, n_keys, causal=True, window=None, **_):
    return causal_mask(n_queries, n_keys, window=window) if causal else torch.ones(n_queries, n_keys, dtype=torch.bool)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("lengths", "options"), CASES)
def test_the_tiles_give_the_attention_and_log_sum_exp_of_the_formula(lengths, options, dtype, assert_near):
    q, k, v = draw(*lengths, dtype=dtype)
    tiled = tiled_attention(q, k, v, **options)
    mask, scale = mask_of(*lengths, **options), options.get("scale", 1 / math.sqrt(3))
    assert_near(tiled.output, masked_attention(q.double(), k.double(), v.double(), mask, scale))
    scores = (scale * q.double() @ k.double().T).masked_fill(~mask, -math.inf)
    torch.testing.assert_close(tiled.lse.double(), scores.logsumexp(-1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("lengths", "options"), CASES)
def test_after_each_tile_the_state_is_the_attention_to_the_keys_so_far(lengths, options):
    q, k, v = draw(*lengths)
    mask = mask_of(*lengths, **options)
    for tile in tiled_attention(q, k, v, **options).tiles:
        so_far = mask[tile.queries].clone()
        so_far[:, tile.keys.stop :] = False
        expected = masked_attention(q[tile.queries], k, v, so_far, options.get("scale"))
        torch.testing.assert_close(tile.o, tile.l[:, None] * expected)
        assert tile.whole == mask[tile.queries, tile.keys].all()


def test_every_tile_that_somebody_sees_is_visited_once_and_no_other():
    tiled = tiled_attention(*draw(32, 32), blocks=(8, 8), window=10)
    visited = [(tile.queries.start // 8, tile.keys.start // 8) for tile in tiled.tiles]
    assert visited == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3)]
    assert tiled.skipped == 16 - 9
    assert [tile.whole for tile in tiled_attention(*draw(8, 8), blocks=(4, 4)).tiles] == [False, True, False]


def test_the_bytes_moved_are_those_counted_by_hand():
    tiled = tiled_attention(*draw(4, 4, width=2, dtype=torch.float32), blocks=(2, 2))
    assert tiled.bytes_read == 4 * (4 * 2 + 3 * (2 * 2 + 2 * 2))  # the queries once; keys and values of three tiles
    assert tiled.bytes_written == 4 * (4 * 2 + 4)
    assert tiled.formula_bytes == (4 * (3 * 4 * 2 + 2 * 4 * 4), 4 * (2 * 4 * 4 + 4 * 2))


def test_larger_tiles_move_less_and_compute_the_same():
    given = list(draw(64, 64))
    small, large = (tiled_attention(*given, blocks=blocks) for blocks in ((8, 8), (32, 8)))
    assert large.bytes_read < small.bytes_read < sum(small.formula_bytes)
    torch.testing.assert_close(small.output, large.output)


def test_a_query_that_sees_nothing_gets_zeros():
    tiled = tiled_attention(*draw(9, 5), blocks=(2, 4))
    assert (tiled.output[:4] == 0).all()
    assert (tiled.lse[:4] == -math.inf).all()
    assert (tiled.output[4:] != 0).all()


def test_the_last_state_of_the_online_softmax_is_the_attention_of_one_query():
    z, v = torch.randn(7, dtype=torch.float64) * 300, torch.randn(7, 2, dtype=torch.float64)
    m, l, o = online_softmax(z, v)
    torch.testing.assert_close(o[-1] / l[-1], z.softmax(0) @ v)
    assert m.tolist() == z.cummax(0).values.tolist()


@pytest.mark.parametrize(
    ("shapes", "options", "message"),
    [
        (((2, 3), (4, 2), (4, 2)), {}, r"got q \(2, 3\), k \(4, 2\).*one head of one sequence"),
        (((1, 2, 3), (1, 2, 3), (1, 2, 3)), {}, "one head of one sequence"),
        (((2, 3), (2, 3), (2, 3)), {"blocks": (0, 4)}, r"blocks=\(0, 4\); expected at least one"),
        (((2, 3), (2, 3), (2, 3)), {"window": 2, "causal": False}, "window=2 with causal=False"),
        (((2, 3), (2, 3), (2, 3)), {"window": 0}, "window=0 must be at least 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shapes, options, message):
    with pytest.raises(ValueError, match=message):
        tiled_attention(*(torch.zeros(shape) for shape in shapes), **options)


def test_it_is_what_a_model_computes():
    q, k, v = draw(20, 20)
    torch.testing.assert_close(tiled_attention(q, k, v, window=7).output, causal_attention(q, k, v, window=7))
