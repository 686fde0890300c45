"""kernels/tile_sizes.py: each GPU finds its row, and each row has tiles for every kernel and width."""

import pytest
import torch

from minigpt.kernels.tile_sizes import (
    FORWARD,
    HEAD_TABLE,
    KEYS_VALUES,
    QUERIES,
    TABLE,
    Tiles,
    candidates,
    head_tiles_for,
    row_of,
    tiles_for,
)

CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("capability", "row"),
    {
        (8, 0): "sm_80", (8, 6): "sm_86", (8, 7): "sm_80", (8, 9): "sm_89", (9, 0): "sm_90", (10, 0): "sm_100",
        (10, 3): "sm_100", (12, 0): "sm_120", (12, 1): "sm_120", (11, 0): "sm_86", (13, 0): "sm_86",
    }.items(),
)  # fmt: skip
def test_a_gpu_gets_its_row_and_an_unknown_one_that_with_the_least_shared_memory(capability, row, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert row_of(CUDA) == row


def test_amds_gpus_have_one_row(monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "7.0")
    assert row_of(CUDA) == "gfx942"


def test_every_row_has_powers_of_2_for_each_kernel_and_width():
    assert {row for row, _ in TABLE} == {"sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "gfx942"}
    for (_, size), kernels in TABLE.items():
        assert size in (2, 4) and set(kernels) == {FORWARD, QUERIES, KEYS_VALUES}
        for tiles in (tiles for by_width in kernels.values() for tiles in by_width):
            assert all(n.bit_count() == 1 for n in tiles[:3]) and min(tiles[:2]) >= 16


def test_the_loss_has_tiles_on_the_same_gpus_in_powers_of_2_that_16_bit_products_are_long_enough_for():
    assert set(HEAD_TABLE) == set(TABLE)
    assert all(n.bit_count() == 1 and n >= 16 for tiles in HEAD_TABLE.values() for n in tiles[:3])


def test_the_loss_is_given_the_tiles_of_its_gpu_and_dtype(monkeypatch):
    monkeypatch.setattr("minigpt.kernels.tile_sizes.row_of", lambda device: "sm_90")
    given = [head_tiles_for(CUDA, dtype) for dtype in (torch.bfloat16, torch.float32)]
    assert given == [HEAD_TABLE["sm_90", 2], HEAD_TABLE["sm_90", 4]]


@pytest.mark.parametrize(("block_e", "place"), [(16, 0), (64, 0), (128, 1), (256, 2)])
def test_the_width_chooses_the_tiles(block_e, place, monkeypatch):
    monkeypatch.setattr("minigpt.kernels.tile_sizes.row_of", lambda device: "sm_90")
    expected = TABLE["sm_90", 2][QUERIES][place]
    assert tiles_for(QUERIES, CUDA, torch.bfloat16, block_e) == expected


@pytest.mark.parametrize(("row", "size"), TABLE, ids=str)
def test_the_list_to_time_begins_with_the_table_and_is_short_and_near(row, size):
    for kernel, by_width in TABLE[row, size].items():
        for entry, width in zip(by_width, (64, 128, 256), strict=True):
            first, *others = listed = candidates(kernel, row, size, width)
            assert first == entry and 4 <= len(listed) <= 8 and len(set(listed)) == len(listed)
            for near in others:
                assert near.n_warps in (4, 8) and near.n_stages >= 1 and min(near[:2]) >= 16
                assert all(a in (b // 2, b, 2 * b) for a, b in zip(near[:3], entry[:3], strict=True))
                assert abs(near.n_stages - entry.n_stages) <= 1


def test_a_step_changes_the_side_that_is_passed_over_the_warps_or_the_loads():
    assert candidates(FORWARD, "sm_90", 2, 128) == [
        Tiles(128, 64, 8, 3),
        Tiles(128, 32, 8, 3),
        Tiles(128, 128, 8, 3),
        Tiles(128, 64, 4, 3),
        Tiles(64, 64, 4, 3),
        Tiles(128, 64, 8, 2),
        Tiles(128, 64, 8, 4),
    ]


def test_the_kernel_of_keys_and_values_keeps_keys_and_passes_over_queries():
    assert candidates(KEYS_VALUES, "sm_80", 2, 128) == [
        Tiles(32, 64, 4, 2),
        Tiles(16, 64, 4, 2),
        Tiles(64, 64, 4, 2),
        Tiles(32, 64, 8, 2),
        Tiles(32, 128, 8, 2),
        Tiles(32, 64, 4, 1),
        Tiles(32, 64, 4, 3),
    ]


def test_a_side_below_16_and_no_load_in_flight_are_no_candidates():
    assert candidates(KEYS_VALUES, "sm_80", 4, 64) == [
        Tiles(16, 32, 4, 1),
        Tiles(32, 32, 4, 1),
        Tiles(16, 32, 8, 1),
        Tiles(16, 64, 8, 1),
        Tiles(16, 32, 4, 2),
    ]
