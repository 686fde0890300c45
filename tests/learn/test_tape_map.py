import itertools

import pytest

from minigpt.learn.autograd import Tensor
from minigpt.learn.tape_map import arrange, draw_tape


@pytest.fixture
def loss():
    w, x, t = Tensor(2.0, "w"), Tensor(3.0, "x"), Tensor(5.0, "t")
    loss = (w * x - t) ** 2
    loss.backward()
    return loss


def boxes(figure):
    """The three lines of each box, from left to right and from the top."""
    texts = sorted(figure.axes[0].texts, key=lambda text: (text.get_position()[0], -text.get_position()[1]))
    lines = [text.get_text() for text in texts if text.get_text()]
    return [tuple(lines[i : i + 3]) for i in range(0, len(lines), 3)]


def test_each_node_shows_its_value_and_its_gradient(loss):
    pytest.importorskip("matplotlib")
    assert set(boxes(draw_tape(loss, decimals=1))) == {
        ("$w$", "2.0", "6.0"),
        ("$x$", "3.0", "4.0"),
        ("$t$", "5.0", "-2.0"),
        ("×", "6.0", "2.0"),
        ("−", "1.0", "2.0"),
        ("^2", "1.0", "1.0"),
    }


def test_of_an_array_the_shape_and_the_norm_of_the_gradient_are_shown():
    pytest.importorskip("matplotlib")
    x = Tensor([[3.0, 4.0]], "x")
    loss = (x * x).sum()
    loss.backward()
    assert ("$x$", "1×2", "‖10.00‖") in boxes(draw_tape(loss, decimals=2))


def test_every_node_is_to_the_right_of_its_parents_and_no_two_are_in_one_place(loss):
    x = Tensor(1.0)
    for root in (loss, (x + x * x) * x, (x + 1) * (x + 2) * (x + 3).tanh() - x.exp()):
        places = arrange(root)
        assert places.keys() == set(root.tape())
        for node, (column, _) in places.items():
            assert all(places[parent][0] < column for parent, _ in node.parents)
        columns = [sorted(y for x, y in places.values() if x == column) for column, _ in places.values()]
        assert all(above - below >= 1 for here in columns for below, above in itertools.pairwise(here))


def test_a_leaf_stands_beside_what_uses_it_first(loss):
    columns = {node.name: column for node, (column, _) in arrange(loss).items()}
    assert columns == {"w": 0, "x": 0, "×": 1, "t": 1, "−": 2, "^2": 3}
