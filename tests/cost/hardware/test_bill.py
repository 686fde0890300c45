"""minigpt/cost/hardware/bill.py: the published bills come out."""

import pytest

from minigpt.cost.hardware import Site, training_bill, training_seconds


def test_the_energy_and_carbon_of_gpt3_are_the_published_ones():
    """10,000 V100 for 14.8 days at 330 W, PUE 1.10 and 0.429 kg/kWh: 1,287 MWh and 552.1 t."""
    bill = training_bill(14.8 * 86400, 10_000, 1.0, 330)
    assert bill.device_hours == pytest.approx(3.55e6, rel=1e-3)
    assert bill.kilowatt_hours == pytest.approx(1287e3, rel=2e-3)
    assert bill.kilograms == pytest.approx(552.1e3, rel=2e-3)
    assert bill.dollars == bill.device_hours


def test_a_site_has_its_own_power_and_carbon():
    bill = training_bill(3600, 2, 3.0, 1000, Site(pue=1.2, kg_per_kwh=0.057, source="BLOOM"))
    assert (bill.dollars, bill.kilowatt_hours) == (6.0, pytest.approx(2.4))
    assert bill.kilograms == pytest.approx(2.4 * 0.057)


def test_seconds_are_operations_over_what_is_reached():
    assert training_seconds(6e15, 3, 1e12, 0.5) == pytest.approx(4000)
    for mfu in (0, 1.2, -0.4, float("nan")):
        with pytest.raises(ValueError, match=r"mfu=.* must lie in \(0, 1\]"):
            training_seconds(1e15, 1, 1e12, mfu)
    with pytest.raises(ValueError, match=r"mfu=43 must lie in \(0, 1\].*; did you mean 0\.43\?"):
        training_seconds(1e15, 1, 1e12, 43)
