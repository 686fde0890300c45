"""minigpt/cost/hardware/names.py: how hardware is named."""

import pytest

from minigpt.cost.hardware import DEVICES, parse_hardware


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("H100", "H100"),
        ("8xH100", "8 × H100"),
        (" 3X a100-80GB ", "3 × A100"),
        ("2 × RTX 4090", "2 × RTX-4090"),
        ("nvidia h100 pcie", "H100-PCIe"),
        ("8 H100", "8 × H100"),
        ("8 x H100", "8 × H100"),
        ("8×H100", "8 × H100"),
        ("H100x8", "8 × H100"),
        ("h100 × 8", "8 × H100"),
        ("RTX 4090 x2", "2 × RTX-4090"),
        ("2 4090", "2 × RTX-4090"),
        ("A100 40", "A100-40"),
        ("RTX 4091", None),
        ("H100 80", None),
        ("8xH100x8", None),
        ("1,tpu", None),
    ],
)
def test_a_name_is_a_count_and_a_device(name, shown):
    if shown is None:
        with pytest.raises(ValueError, match="is unknown"):
            parse_hardware(name)
    else:
        assert str(parse_hardware(name)) == shown


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_is_known_by_its_own_name(name):
    assert parse_hardware(f"4x{name}") == parse_hardware(f"4 * {name.lower()}")
    assert parse_hardware(name).device is DEVICES[name]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("8xH10", r"'8xH10' is unknown; choose one of V100, T4, .*. Did you mean H100\? To measure this"),
        ("cpu", "such as 8xH100; to measure this machine, pass on=minigpt"),
        ("", "the hardware '' is unknown"),
        ("H10x8", "'H10x8' is unknown; .*. Did you mean H100"),
        ("H100x0", "asks for 0 devices; give 1 to 10,000,000"),
        ("0xH100", "asks for 0 devices; give 1 to 10,000,000"),
        ("x" * 10**6, "is unknown"),
        (8, "hardware must be a name such as '8xH100', got 8"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, message):
    with pytest.raises(ValueError, match=message) as raised:
        parse_hardware(name)
    assert len(str(raised.value)) < 500
