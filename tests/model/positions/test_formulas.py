import math

import pytest
import torch

from minigpt.model import Rotation, alibi_bias, alibi_slopes, rotary, rotary_angles, sinusoidal_positions
from minigpt.model.positions import ROTARY_LAYOUTS


def rotation(n_positions, width, layout, offset=0):
    angles = rotary_angles(n_positions + offset, width)[offset:].double()
    return Rotation(angles.cos(), angles.sin(), layout)


def test_sinusoidal_positions_are_sines_and_cosines_of_geometric_frequencies(assert_near):
    expected = torch.zeros(7, 6, dtype=torch.float64)
    for t in range(7):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            expected[t, 2 * i], expected[t, 2 * i + 1] = math.sin(angle), math.cos(angle)
    assert_near(sinusoidal_positions(7, 6), expected)


@pytest.mark.parametrize(("layout", "pairs"), [("interleaved", [(0, 1), (2, 3)]), ("half", [(0, 2), (1, 3)])])
def test_rotary_turns_each_pair_by_its_angle(layout, pairs):
    x = torch.randn(5, 4, dtype=torch.float64)
    turned = rotary(x, rotation(5, 4, layout))
    for t in range(5):
        for i, (first, second) in enumerate(pairs):
            number = complex(x[t, first], x[t, second]) * complex(math.cos(a := t * 10000 ** (-2 * i / 4)), math.sin(a))
            assert turned[t, first].item() == pytest.approx(number.real, abs=1e-6)
            assert turned[t, second].item() == pytest.approx(number.imag, abs=1e-6)


@pytest.mark.parametrize("layout", ROTARY_LAYOUTS)
def test_rotary_scores_depend_on_the_offset_alone(layout):
    q, k = torch.randn(2, 8, dtype=torch.float64)
    near, far = rotation(6, 8, layout), rotation(6, 8, layout, offset=40)
    scores = [rotary(q.expand(6, 8), turn) @ rotary(k.expand(6, 8), turn).T for turn in (near, far)]
    torch.testing.assert_close(scores[0], scores[1], rtol=0, atol=1e-4)
    assert not torch.allclose(scores[0][0], scores[0][5])


def test_the_two_layouts_differ_by_a_permutation_of_the_coordinates():
    x = torch.randn(5, 8, dtype=torch.float64)
    order = torch.tensor([0, 2, 4, 6, 1, 3, 5, 7])
    half = rotary(x[:, order], rotation(5, 8, "half"))
    interleaved = rotary(x, rotation(5, 8, "interleaved"))
    torch.testing.assert_close(half, interleaved[:, order])


def test_rotary_keeps_lengths():
    x = torch.randn(3, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(rotary(x, rotation(5, 8, "half")).norm(dim=-1), x.norm(dim=-1))


def test_alibi_slopes_are_geometric_from_two_to_the_minus_eight_over_h():
    assert alibi_slopes(8).tolist() == [2.0**-h for h in range(1, 9)]
    assert alibi_slopes(3).tolist() == pytest.approx([2 ** (-8 * h / 3) for h in (1, 2, 3)])


def test_an_odd_width_has_no_pairs():
    with pytest.raises(ValueError, match=r"width=5 must be even.*try 6"):
        rotary_angles(3, 5)


def test_the_alibi_penalty_falls_with_the_distance():
    assert alibi_bias(torch.tensor([0.5]), 2, 3).tolist() == [[[-0.5, 0.0, 0.5], [-1.0, -0.5, 0.0]]]
