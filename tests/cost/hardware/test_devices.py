"""minigpt/cost/hardware/devices.py: every row has what an estimate needs, with its source."""

import re

import pytest

from minigpt.cost.hardware import DEVICES


@pytest.mark.parametrize("device", DEVICES.values(), ids=DEVICES)
def test_a_row_has_a_peak_a_source_and_the_date_of_its_price(device):
    assert 1e12 <= device.flops_per_second <= 5e15
    assert device.source and 8 <= device.gigabytes <= 300
    if device.dollars_per_hour is not None:
        low, high = device.dollars_per_hour
        assert 0 < low <= high
        assert re.match(r"20\d\d-\d\d(-\d\d)?, \w", device.priced)


@pytest.mark.parametrize(
    ("name", "peak"), [("V100", 125e12), ("A100", 312e12), ("H100", 989e12), ("TPU-v5e", 197e12), ("M1-Max", 10.4e12)]
)
def test_the_peak_is_that_of_dense_16_bit_products_where_there_are_any(name, peak):
    assert DEVICES[name].flops_per_second == peak
