import pytest
import torch

from minigpt.learn import tiled_attention
from minigpt.learn.tile_map import Field, draw_map


def test_the_picture_says_what_was_skipped_and_moved():
    pytest.importorskip("matplotlib")
    tiled = tiled_attention(*torch.randn(3, 32, 3), blocks=(8, 8))
    (axes,) = tiled.plot().axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["seen whole: 6", "seen in part: 4", "never loaded: 6"]
    assert f"{tiled.bytes_read + tiled.bytes_written:,} bytes moved" in axes.get_title()
    assert axes.get_xlim() == (0, 32) and axes.get_ylim() == (32, 0)


def test_each_tile_that_was_loaded_is_a_rectangle_at_its_keys_and_queries():
    pytest.importorskip("matplotlib")
    figure = draw_map((4, 6), [Field(slice(2, 4), slice(0, 3), whole=False)], skipped=3, title="four tiles")
    drawn = [patch for patch in figure.axes[0].patches if patch.get_width()]
    assert [(patch.get_xy(), patch.get_width(), patch.get_height()) for patch in drawn] == [((0, 2), 3, 2)]
    assert figure.axes[0].get_title() == "four tiles"
