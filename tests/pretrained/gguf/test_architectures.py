"""The architectures of GGUF files: their names, and the order of the rows."""

import torch
from tiny_gguf import permuted

from minigpt.pretrained.gguf.architectures import half_split_rows, neighbouring_rows


def test_the_order_of_rows_is_that_of_llama_cpp_and_is_undone():
    weight = torch.arange(12 * 5.0).reshape(12, 5)
    assert half_split_rows(weight, 3)[:4].tolist() == weight[[0, 2, 1, 3]].tolist()
    for n_heads in (1, 2, 3, 6):
        in_file = permuted(weight, n_heads)
        assert torch.equal(neighbouring_rows(weight, n_heads), in_file)
        assert torch.equal(half_split_rows(in_file, n_heads), weight)
