import sys

import numpy as np
import pytest

from minigpt.plots import heat_map, mean_by_x, new_figure, rectangle, smooth


def test_a_smoothed_value_is_the_mean_of_those_around_it_and_of_fewer_at_the_ends():
    values = list(np.random.default_rng(0).normal(size=20))
    half = 3
    expected = [np.mean(values[max(0, i - half) : i + half + 1]) for i in range(20)]
    np.testing.assert_allclose(smooth(values, share=0.3), expected)


def test_smoothing_leaves_a_constant_and_one_value_as_they_are():
    np.testing.assert_allclose(smooth([2.0] * 50), [2.0] * 50)
    np.testing.assert_allclose(smooth([3.0]), [3.0])


def test_means_are_taken_at_each_x_and_the_x_rise():
    assert mean_by_x([(8, 1.0), (4, 5.0), (8, 3.0)]) == ([4, 8], [5.0, 2.0])


def test_a_figure_is_a_picture_in_a_notebook_and_several_axes_share_their_y():
    pytest.importorskip("matplotlib")
    figure, (left, right) = new_figure(2)
    left.set(ylim=(0, 7))
    left.add_patch(rectangle((0, 0), 1, 2))
    assert right.get_ylim() == (0, 7)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'a plot needs matplotlib: pip install "minigpt-as-written\[viz\]"'):
        new_figure()


def test_a_heat_map_has_a_colour_for_each_number_and_its_text():
    values = [[0.0, 1.0, 0.25], [0.75, 0.5, 0.0]]
    words = [["a", "$b$", "c"], ["d", "e", "f"]]
    figure = heat_map(values, rows=["x", "$y"], columns=["1", "2", "3"], title="map", written=words)
    axes = figure.axes[0]
    assert axes.images[0].get_array().tolist() == values
    assert axes.images[0].get_clim() == (0, 1)
    assert [text.get_text() for text in axes.texts] == ["a", r"\$b\$", "c", "d", "e", "f"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", r"\$y"]
    two_sided = heat_map(values, rows=["x", "y"], columns=["1", "2", "3"], two_sided=True)
    assert two_sided.axes[0].images[0].get_clim() == (-1, 1)
    assert figure._repr_png_()
