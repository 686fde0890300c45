from collections import Counter

import pytest

from minigpt.bench.compiled.bounds import bounds, clocks, occupancy
from minigpt.bench.compiled.jobs import Job
from minigpt.bench.compiled.targets import TARGETS
from minigpt.kernels.tile_sizes import KEYS_VALUES, Tiles


def test_clocks_are_those_of_the_busiest_unit_by_hand():
    loop = Counter({"HMMA.16816.F32.BF16": 8, "MUFU.EX2": 4, "FFMA": 8, "FMNMX": 4, "LDSM.16.M88.4": 2, "BRA": 1})
    busy = clocks(loop, 4, TARGETS["sm_80"])
    assert busy == {"shared": 2 * 4 * 512 / 128, "issue": 19, "special": 4 * 128 / 16, "float": 16, "alu": 8}
    on_amd = clocks(Counter({"v_exp_f32_e32": 1, "v_mul_f32_e32": 4, "v_pk_mul_f32": 1}), 4, TARGETS["gfx942"])
    assert on_amd["vector"] == 4 * 64 * (1 / 16 + 4 / 128 + 2 / 128)


def test_bounds_are_the_useful_share_with_and_without_overlap():
    job, tiles = Job("sm_80", KEYS_VALUES, "bf16", 16), Tiles(16, 16, 4, 1)
    loop = Counter({"HMMA.16816.F32.BF16": 4, "MUFU.EX2": 1})  # twice as many products as are needed
    needed, taken, rest = 4 * 2 * 16**3 / 2048, 4 * 4 * 4096 / 2048, 8
    assert bounds(loop, job, tiles) == (0.5, needed / (taken + rest), needed / taken)


@pytest.mark.parametrize(
    ("registers", "shared", "warps", "share"),
    [(64, 0, 4, 8 * 4 / 64), (81, 0, 4, 5 * 4 / 64), (32, 54 * 1024 + 512, 4, 2 * 4 / 64), (32, 0, 4, 1.0)],
)
def test_occupancy_is_limited_by_registers_by_shared_memory_and_by_the_number_of_warps(registers, shared, warps, share):
    assert occupancy(registers, shared, warps, TARGETS["sm_80"]) == share
