import pytest

from minigpt.model import NO_POSITIONS, Context


def test_a_context_is_frozen_and_knows_nothing_unless_told():
    assert Context() == NO_POSITIONS
    with pytest.raises(AttributeError):
        NO_POSITIONS.start = 1
