"""A sample of ``induction_campaign.py``: one seed, and fewer steps."""

import pytest
from induction import findings, trained


@pytest.fixture(scope="module")
def found():
    return findings(trained(seed=0, steps=200))


def test_training_on_what_repeats_makes_induction_heads_in_the_second_layer(found):
    scores, _ = found
    assert scores.heads("induction")
    assert {layer for layer, _ in scores.heads("induction")} == {1}
    assert scores.heads("duplicate") == []


def test_without_the_induction_heads_there_is_no_gain_and_without_the_others_there_is(found):
    _, gains = found
    assert gains["whole"] > 2
    assert gains["without induction heads"] < 0.25 * gains["whole"]
    assert gains["without their neighbours"] > 0.75 * gains["whole"]
