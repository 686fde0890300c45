"""minigpt/cost/units.py: three digits and a unit."""

import pytest

from minigpt.cost.units import shown_bytes, shown_count, shown_dollars, shown_seconds, shown_si


def test_a_prefix_stands_before_its_unit():
    assert [shown_si(n, "Wh") for n in (0.0375, 37.5, 119_800, 2e9)] == ["37.5 mWh", "37.5 Wh", "120 kWh", "2 GWh"]


@pytest.mark.parametrize(
    ("function", "number", "text"),
    [
        (shown_count, 300e9, "300 B"),
        (shown_count, 12, "12"),
        (shown_count, 999_999, "1,000 k"),
        (shown_bytes, 1_500, "1.5 kB"),
        (shown_bytes, 7, "7 bytes"),
        (shown_bytes, 3.2e15, "3,200 TB"),
        (shown_seconds, 0.004, "4 ms"),
        (shown_seconds, 1, "1 second"),
        (shown_seconds, 2e-5, "20 µs"),
        (shown_seconds, 0, "0 ms"),
        (shown_seconds, 100, "1.67 minutes"),
        (shown_seconds, 86400 * 400, "400 days"),
        (shown_seconds, 86400 * 3652.5, "10 years"),
        (shown_dollars, 0.0099, "< $0.01"),
        (shown_dollars, 0.0, "$0.00"),
        (shown_dollars, 1.234, "$1.23"),
        (shown_dollars, 123_456, "$123,000"),
    ],
)
def test_a_number_is_shown_with_three_digits(function, number, text):
    assert function(number) == text


def test_tiny_energies_have_a_unit_that_suits_them():
    assert [shown_si(n, "Wh") for n in (0, 2.19e-7, 3e-5, 1e-12)] == ["0 Wh", "219 nWh", "30 µWh", "1e-12 Wh"]
