"""How fast this machine trains, from three seconds of measurement: what ``minigpt.estimate`` predicts step times from.

Each part of a step is timed by itself, small, in float32 on the CPU: products of several widths, attention at several
lengths, an activation, the loss, the optimizer, and whole steps of models so small that nothing is computed in them.
What the step of a model of usual size takes beyond these parts is put down to its residual stream.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from minigpt.bench.steps import our_step
from minigpt.bench.words import BUSY, THE_ESTIMATE
from minigpt.cost.flops_by_part import attention_pairs
from minigpt.cost.machine import Machine, step_seconds
from minigpt.model import GPTConfig
from minigpt.model.mlp import fast_gelu_tanh
from minigpt.training.optim import AdamW, fast_clip_by_norm

PRODUCT_WIDTHS = (32, 64, 128, 256, 512, 1024)  # of the matrices that are multiplied
ATTENTION_LENGTHS = (32, 128, 512, 1024)  # of the sequences in attention
LOGIT_COUNTS = (2**18, 2**22, 2**24)  # of a loss, and numbers of an embedding; glibc gets the last from the system anew
WEIGHT_COUNTS = (2**15, 2**19, 2**22)  # that are updated at once
TOKENS = 1024  # positions at once
LEAST_CALLS = 3  # calls of each part, the first one besides
SMALL_BLOCKS = 5  # of the larger of the two models without work
USUAL = GPTConfig(vocab_size=64, context_length=64, d_model=192, n_layers=2, n_heads=6)
USUAL_BATCH = 8  # sequences
LOSS_WIDTH = 2048  # vocabulary of the losses
EMBEDDING_WIDTH = 128
Clock = Callable[[], float]


def probe_machine(seconds: float = 2.0, *, clock: Clock = time.perf_counter, progress: bool = False) -> Machine:
    """Measure what the parts of a training step take on this machine.

    Args:
        seconds: about how long most of it may take; a slow machine needs more, since each part runs a few times.
        clock: returns seconds; ``time.process_time`` leaves out what other programs take from one thread.
        progress: show a bar, on stderr.
    """
    parts, n_threads = dict(_parts()), torch.get_num_threads()
    share = 0.6 * seconds / len(parts)  # the rest goes into making them
    found = {}
    for name, (function, unit) in tqdm(parts.items(), desc="measuring this machine", disable=not progress, leave=False):
        found[name] = least_seconds(function, share, clock) / unit
    block = max(0.0, (found["blocks"] - found["step"]) / (SMALL_BLOCKS - 1))
    machine = Machine(
        name=f"this machine ({n_threads} thread{'s' * (n_threads != 1)}, float32)",
        products=tuple((width, 1 / found[f"product {width}"]) for width in PRODUCT_WIDTHS),
        attention=tuple((length, found[f"attention {length}"]) for length in ATTENTION_LENGTHS),
        step=max(0.0, found["step"] - block),
        block=block,
        stream=0.0,
        hidden=found["hidden"],
        logit=tuple((number, found[f"logit {number}"]) for number in LOGIT_COUNTS),
        weight=tuple((number, found[f"weight {number}"]) for number in WEIGHT_COUNTS),
        embedding=tuple((number, found[f"embedding {number}"]) for number in LOGIT_COUNTS),
    )
    rest = found["usual"] - step_seconds(USUAL, machine, USUAL_BATCH)
    n_numbers = USUAL_BATCH * USUAL.context_length * USUAL.n_layers * USUAL.d_model
    return replace(machine, stream=max(0.0, rest / n_numbers))


def busy_line(what: str | None = None) -> str | None:
    """What to know where other programs use the machine: it is measured slower than it is; ``None`` where none do.

    Args:
        what: what may be wrong then; ``None`` means the estimate.
    """
    n_cores = os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load <= n_cores:
        return None
    return BUSY.spoken().format(load, n_cores, THE_ESTIMATE.spoken() if what is None else what)


def _parts() -> Iterator[tuple[str, tuple[Callable[[], object], float]]]:
    """What is timed, each with its number of operations or numbers."""
    for name, n_layers in (("step", 1), ("blocks", SMALL_BLOCKS)):
        yield (
            name,
            (timed_step(GPTConfig(vocab_size=16, context_length=8, d_model=16, n_layers=n_layers, n_heads=2), 1), 1),
        )
    for width in PRODUCT_WIDTHS:
        yield f"product {width}", (_products(width), 24 * TOKENS * width**2)
    for length in ATTENTION_LENGTHS:
        yield f"attention {length}", _attention(length)
    yield "usual", (timed_step(USUAL, USUAL_BATCH), 1)
    yield "hidden", (_backward(fast_gelu_tanh, TOKENS, 1024), TOKENS * 1024)
    for number in LOGIT_COUNTS:
        yield f"logit {number}", (_backward(_loss, number // LOSS_WIDTH, LOSS_WIDTH), number)
        yield f"embedding {number}", (_embedding(number // EMBEDDING_WIDTH), number)
    for number in WEIGHT_COUNTS:
        yield f"weight {number}", (_update(number), number)


def least_seconds(function: Callable[[], object], budget: float, clock: Clock) -> float:
    """The least time of some calls within about so many seconds, once warm.

    Args:
        function: what is called.
        budget: seconds.
        clock: returns seconds.
    """
    function()
    times: list[float] = []
    while len(times) < LEAST_CALLS or sum(times) < budget:
        started = clock()
        function()
        times.append(clock() - started)
    return min(times)


def timed_step(config: GPTConfig, n_sequences: int) -> Callable[[], object]:
    """A training step of a new model on a batch of zeros.

    Args:
        config: the model's shape.
        n_sequences: of the batch.
    """
    step, ids = our_step(config), torch.zeros(n_sequences, config.context_length, dtype=torch.int64)
    return lambda: step(ids, ids)


def _products(width: int) -> Callable[[], object]:
    """A product with a matrix of the MLP, and the two of its gradients."""
    x, weight, gradient = torch.randn(TOKENS, width), torch.randn(4 * width, width), torch.randn(TOKENS, 4 * width)
    return lambda: (x @ weight.T, gradient @ weight, gradient.T @ x)


def _attention(length: int) -> tuple[Callable[[], object], float]:
    n_sequences, n_heads, width = max(1, TOKENS // length), 4, 32
    shape = (n_sequences, length, n_heads, width)
    q, k, v = (torch.randn(shape).transpose(1, 2).requires_grad_() for _ in range(3))
    gradient = torch.randn(shape).transpose(1, 2)

    def step() -> None:
        F.scaled_dot_product_attention(q, k, v, is_causal=True).backward(gradient)

    return step, 12 * n_sequences * n_heads * width * attention_pairs(length)


def _backward(function: Callable[[Tensor], Tensor], *shape: int) -> Callable[[], object]:
    """A function of one tensor, forward and backward."""
    x = torch.randn(shape, requires_grad=True)
    gradient = torch.ones_like(function(x))
    return lambda: function(x).backward(gradient)


def _update(number: int) -> Callable[[], object]:
    """Clipping and AdamW."""
    weight = torch.nn.Parameter(torch.randn(number))
    weight.grad = torch.randn(number)
    optimizer = AdamW([weight], lr=1e-3)
    return lambda: (fast_clip_by_norm([weight], 1.0), optimizer.step())


def _embedding(n_tokens: int) -> Callable[[], object]:
    """The two gradients of a matrix that is embedding and head, each as large as the matrix, whatever the batch."""
    table, ids = torch.nn.Parameter(torch.zeros(n_tokens, EMBEDDING_WIDTH)), torch.arange(TOKENS) % n_tokens
    one = torch.zeros(1, EMBEDDING_WIDTH)

    def gradients() -> None:
        table.grad = None
        (F.embedding(ids, table).sum() + F.linear(one, table).sum()).backward()

    return gradients


def _loss(logits: Tensor) -> Tensor:
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))
