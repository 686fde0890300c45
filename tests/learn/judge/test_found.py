"""What comes back from the other process is read as numbers or refused."""

import base64

import numpy as np
import pytest
import torch

from minigpt.learn.judge.found import GarbageError, decode
from minigpt.learn.judge.worker import encode


@pytest.mark.parametrize(
    "value",
    [torch.randn(2, 3), torch.arange(4), torch.tensor(True), np.float32(1.5), 3, 2.5, True, np.zeros((0, 2)), 1 + 2j],
)
def test_numbers_come_back_as_they_were(value):
    found = decode(encode(value))
    assert found.form == "array"
    assert np.array_equal(found.array, np.asarray(value))


def test_lists_are_put_together_and_ragged_ones_are_not():
    assert decode(encode([[1.0, 2.0], [3.0, 4.0]])).as_array().array.tolist() == [[1, 2], [3, 4]]
    assert decode(encode([torch.zeros(2), torch.ones(2)])).as_array().array.shape == (2, 2)
    assert decode(encode([[1.0], [1.0, 2.0]])).as_array() is None
    assert decode(encode([])).as_array().array.shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_is_told(dtype):
    assert decode(encode(torch.zeros(1, dtype=dtype))).dtype == str(dtype).removeprefix("torch.")


DATA = base64.b64encode(b"\0" * 16).decode()


@pytest.mark.parametrize(
    "tree",
    [
        None,
        [],
        {},
        {"form": "pickle", "data": "x"},
        {"form": "array", "dtype": "float32", "kind": "|O", "shape": [2], "data": DATA},
        {"form": "array", "dtype": "float32", "kind": "<f8", "shape": [3], "data": DATA},
        {"form": "array", "dtype": "float32", "kind": "<f8", "shape": [-1, -2], "data": DATA},
        {"form": "array", "dtype": "float32", "kind": "<f8", "shape": [2**40], "data": DATA},
        {"form": "array", "dtype": "float32", "kind": "<f8", "shape": ["a"], "data": DATA},
        {"form": "array", "dtype": "float32", "kind": "<f8", "shape": [2], "data": 7},
        {"form": "list", "items": 3},
        {"form": "list", "items": [None]},
    ],
)
def test_anything_else_is_refused(tree):
    with pytest.raises(GarbageError):
        decode(tree)


def test_a_list_without_end_is_refused():
    tree = {"form": "list", "items": []}
    tree["items"].append(tree)
    with pytest.raises(GarbageError):
        decode(tree)
