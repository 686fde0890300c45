"""minigpt/cost/flops_by_part.py: the counts are those of PyTorch's counter, and of the causal mask."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry, sdpa_backward_flop_count, sdpa_flop_count

import minigpt as mg
from minigpt.cost import attention_pairs, backward_flops, forward_flops
from minigpt.training.execution.blocks import run_blocks

ODD = {"vocab_size": 37, "context_length": 13, "d_model": 30, "n_layers": 2, "n_heads": 6, "attention": "formula"}
CONFIGS = [
    {},
    {"n_kv_heads": 2, "mlp": "swiglu", "d_hidden": 17, "norm": "rms", "bias": False},
    {"tied_head": False, "window": 4, "n_kv_heads": 3},
    {"mlp": "relu2", "qk_norm": True, "d_hidden": 11, "norm_placement": "post"},
]


def counted(config, n_sequences=3):
    """What the counter counts in each module forward, and in all of them backward."""
    model, ids = mg.GPT(config), torch.zeros(n_sequences, config.context_length, dtype=torch.int64)
    with FlopCounterMode(display=False) as forward:
        loss = mg.next_token_loss(model(ids), ids)
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    modules = {name: sum(counts.values()) for name, counts in forward.get_flop_counts().items()}
    return modules, forward.get_total_flops(), backward.get_total_flops()


@pytest.mark.parametrize("changes", CONFIGS)
def test_forward_and_backward_are_what_the_counter_counts(changes):
    config = mg.GPTConfig(**{**ODD, **changes})
    _, forward, backward = counted(config)
    assert forward == 3 * forward_flops(config, 13, full=True).total
    assert backward == 3 * backward_flops(config, 13, full=True).total


def test_of_fused_attention_the_counter_counts_nothing_on_a_cpu_and_half_a_forward_pass_more_on_a_gpu():
    config = mg.GPTConfig(**{**ODD, "attention": "sdpa"})
    _, forward, backward = counted(config)
    own = forward_flops(config, 13, full=True)
    attention = own.scores + own.weighted_sum
    assert (forward, backward) == (3 * (own.total - attention), 3 * 2 * (own.total - attention))
    shape = (3, 6, 13, 5)
    assert 2 * sdpa_backward_flop_count(shape, shape, shape, shape) == 5 * sdpa_flop_count(shape, shape, shape)
    assert config.n_layers * sdpa_flop_count(shape, shape, shape) == 3 * attention


@pytest.mark.parametrize("changes", CONFIGS)
def test_every_part_is_what_the_counter_counts(changes):
    config = mg.GPTConfig(**{**ODD, **changes})
    modules, *_ = counted(config)

    def of(ending):
        return sum(flops for name, flops in modules.items() if name.endswith(ending) and name.count("blocks") < 2)

    parts = forward_flops(config, 13, full=True) * 3
    inside = parts.qkv + parts.out + parts.scores + parts.weighted_sum
    assert (of(".project_qkv"), of(".project_out"), of(".mlp")) == (parts.qkv, parts.out, parts.mlp)
    assert (of(".attention"), of("GPT.head"), of("GPT.token_embedding")) == (inside, parts.head, parts.embedding)


class Products(TorchDispatchMode):
    """The operations of each batched product, by the last axis of its result."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func._overloadpacket is torch.ops.aten.bmm:
            flops = flop_registry[func._overloadpacket](*args, out_val=result)
            self.found[result.shape[-1]] = self.found.get(result.shape[-1], 0) + flops
        return result


def test_scores_and_weighted_sums_are_counted_apart():
    config = mg.GPTConfig(**ODD, n_kv_heads=2)
    with Products() as products, torch.no_grad():
        mg.GPT(config)(torch.zeros(2, 13, dtype=torch.int64))
    parts = forward_flops(config, 13, full=True) * 2
    assert products.found == {13: parts.scores, 5: parts.weighted_sum}  # positions, and the width of a head


def test_a_recomputed_block_runs_once_more():
    config = mg.GPTConfig(**ODD)
    model, ids = mg.GPT(config), torch.zeros(1, 13, dtype=torch.int64)
    with run_blocks(model, recomputed=True):
        loss = mg.next_token_loss(model(ids), ids)
        with FlopCounterMode(display=False) as backward:
            loss.backward()
    expected = backward_flops(config, 13, full=True, recomputed=True)
    # the last product of a block, and the last of its MLP, are not needed for any gradient of it
    assert backward.get_total_flops() == pytest.approx(expected.total, rel=0.25)
    assert (
        expected.total == backward_flops(config, 13, full=True).total + forward_flops(config, 13, full=True).in_blocks
    )


@pytest.mark.parametrize("window", [1, 4, 13, 40, None])
def test_causal_pairs_are_those_of_the_mask(window):
    mask = mg.causal_mask(13, window=window)
    assert attention_pairs(13, window) == mask.sum()
    config = mg.GPTConfig(**ODD, window=window)
    causal, full = forward_flops(config, 13), forward_flops(config, 13, full=True)
    assert causal.scores * 13 * 13 == full.scores * mask.sum()
    assert (causal.qkv, causal.head) == (full.qkv, full.head)


def test_the_causal_total_is_what_the_equation_of_training_says():
    config = mg.GPTConfig(**ODD, tied_head=False)
    per_token = (forward_flops(config, 13).total + backward_flops(config, 13).total) / 13
    assert per_token == pytest.approx(mg.training_flops_per_token(config, 13), rel=1e-12)
