import torch
from torch.utils.flop_counter import sdpa_backward_flop_count, sdpa_flop_count

from minigpt.bench.attention.setting import Setting, settings

CPU = torch.device("cpu")


def setting(t=8, e=4, causal=False, dtype=torch.float32):
    return Setting(t, e, causal, dtype, 2, 3)


def test_operations_are_those_that_pytorch_counts_for_fused_attention():
    q, k, v, do = (x.shape for x in setting().draw(CPU))
    assert setting().flops == (sdpa_flop_count(q, k, v), sdpa_backward_flop_count(do, q, k, v))


def test_a_causal_mask_leaves_the_pairs_on_and_below_the_diagonal():
    pairs = torch.ones(8, 8).tril().sum().item()
    assert setting(causal=True).flops == tuple(flops * pairs / 64 for flops in setting().flops)


def test_the_least_bytes_are_those_of_the_tensors_that_go_in_and_out():
    q, k, v, do = setting(dtype=torch.float16).draw(CPU)
    forward, backward = [q, k, v, q], [q, k, v, q, do, q, k, v]
    expected = tuple(sum(x.nbytes for x in tensors) for tensors in (forward, backward))
    assert setting(dtype=torch.float16).n_bytes == expected


def test_a_gpu_gets_both_16_bit_dtypes_both_widths_and_masks_and_always_as_many_tokens():
    every = settings(torch.device("cuda"))
    assert len(every) == 5 * 2 * 2 * 2
    assert {s.dtype for s in every} == {torch.float16, torch.bfloat16} and {s.head_width for s in every} == {
        64,
        128,
    }
    assert {s.batch_size * s.n_positions for s in every} == {16384}
    assert {s.n_heads * s.head_width for s in every} == {2048}
