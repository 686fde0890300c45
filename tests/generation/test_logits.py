import math

import pytest
import torch

from minigpt.generation.logits import add_bias, allowed_probabilities, bias_of, mask_tokens, repetition_penalty


def test_a_penalty_above_one_makes_a_seen_token_less_likely_whatever_its_sign():
    z, seen = torch.tensor([[2.0, -2.0, 0.5, -math.inf]]), torch.tensor([[True, True, False, True]])
    torch.testing.assert_close(repetition_penalty(z, seen, 2.0), torch.tensor([[1.0, -4.0, 0.5, -math.inf]]))
    torch.testing.assert_close(repetition_penalty(z, seen, 0.5), torch.tensor([[4.0, -1.0, 0.5, -math.inf]]))


@pytest.mark.parametrize("penalty", [0, -1, math.inf, math.nan])
def test_a_penalty_that_is_no_penalty_is_refused(penalty):
    with pytest.raises(ValueError, match=r"repetition_penalty=.* must be finite and above 0"):
        repetition_penalty(torch.zeros(1, 3), torch.ones(1, 3, dtype=torch.bool), penalty)


def test_a_bias_multiplies_the_odds():
    z = torch.randn(7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before, after = z.softmax(-1), add_bias(z, bias_of({2: math.log(3)}, 7)).softmax(-1)
    odds = [p[2] / (1 - p[2]) for p in (before, after)]
    torch.testing.assert_close(odds[1], 3 * odds[0], rtol=1e-6, atol=0)


def test_minus_infinity_forbids():
    assert add_bias(torch.zeros(2, 3), bias_of({1: -math.inf}, 3)).softmax(-1).tolist() == [[0.5, 0.0, 0.5]] * 2


@pytest.mark.parametrize(
    ("biases", "why"),
    [
        ({7: 1.0}, "has the token 7"),
        ({-1: 1.0}, "has the token -1"),
        ({True: 1.0}, "has the token True"),
        ({"a": 1.0}, "has the token 'a'"),
        ({0: math.inf}, r"logit_bias\[0\] is inf"),
        ({0: math.nan}, r"logit_bias\[0\] is nan"),
        ({0: "1"}, r"logit_bias\[0\] is '1'"),
        ({0: 1e39}, r"logit_bias\[0\] is 1e\+39; expected a number of nats, -1e\+30 to 1e\+30, or -inf"),
        ({0: -(10**400)}, r"logit_bias\[0\] is a number of about 401 digits"),
        (dict.fromkeys(range(7), -math.inf), "forbids every token"),
    ],
)
def test_biases_that_cannot_be_added_are_refused(biases, why):
    with pytest.raises(ValueError, match=why):
        bias_of(biases, 7)


def test_a_bias_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"bias has shape \(4,\); expected one number for each logit, \(3,\)"):
        add_bias(torch.zeros(2, 3), torch.zeros(4))


def test_what_is_allowed_keeps_its_proportions():
    z = torch.randn(3, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    allowed = torch.tensor([True, False, True, True, False, False, True, False, False])
    p = allowed_probabilities(z, allowed)
    whole = z.softmax(-1)
    assert (p[:, ~allowed] == 0).all()
    torch.testing.assert_close(p[:, allowed], whole[:, allowed] / whole[:, allowed].sum(-1, keepdim=True))


def test_where_nothing_is_allowed_there_is_no_distribution():
    z = torch.zeros(2, 3)
    z[1, 0] = -math.inf
    with pytest.raises(ValueError, match="no token is allowed here"):
        mask_tokens(z, torch.tensor([True, False, False]))
