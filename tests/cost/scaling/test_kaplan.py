"""minigpt/cost/scaling/kaplan.py: with endless data or an endless model, the other one's power law is left."""

import pytest

from minigpt.cost.scaling import kaplan_loss


def test_each_power_law_is_left_where_the_other_number_has_no_end():
    assert kaplan_loss(1e9, 1e60) == pytest.approx((6.4e13 / 1e9) ** 0.076)
    assert kaplan_loss(1e60, 1e9) == pytest.approx((1.8e13 / 1e9) ** 0.103)
    assert kaplan_loss(1e9, 1e9) > max(kaplan_loss(1e9, 1e60), kaplan_loss(1e60, 1e9))
