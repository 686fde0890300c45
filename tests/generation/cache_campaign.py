"""A model with a cache beside itself without one: every position scheme × heads × window × convolution × rows × chunks.

    python tests/generation/cache_campaign.py

prints the largest difference of the logits for each setting of the model, over all rows and chunks; the suite runs a
sample of it. Each row alone, read at once by attention="formula" without a cache, is the reference.
"""

import dataclasses
import itertools
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from unittest.mock import patch

import torch

import minigpt as mg
from minigpt.equations.registry import _registry
from minigpt.equations.twins import _twins
from minigpt.model import POSITIONS

TOLERANCE = 1e-5
SETTINGS = list(itertools.product(POSITIONS, (4, 2, 1), (None, 1, 3, 7), (None, 1, 3)))
ROWS = {"one": (41,), "equal": (41, 41), "ragged": (41, 17, 33)}
CHUNKS = {"at once": (41,), "singly": (1,) * 41, "mixed": (1, 2, 7, 1, 1, 20, 9), "prompt": (33, *(1,) * 8)}
WAYS = ("auto", "formula")


def make_model(position, n_kv_heads, window, convolution):
    """A small model whose weights are far from their initial values: biases, gains and taps matter."""
    config = mg.GPTConfig(
        vocab_size=13,
        context_length=64,
        d_model=16,
        n_layers=2,
        n_heads=4,
        position=position,
        n_kv_heads=n_kv_heads,
        d_head=6,
        window=window,
        window_layers="wf" if window == 7 else "w",
        rope_scaling="yarn" if position == "rope-half" else "none",
        rope_factor=4.0,
        convolution=convolution,
        attention="formula",
        dropout=0.5,
    )
    generator = torch.Generator().manual_seed(0)
    model = mg.GPT(config, generator=generator).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def in_another_way(model, attention):
    """The same weights with another way to compute attention."""
    other = mg.GPT(dataclasses.replace(model.config, attention=attention)).eval()
    other.load_state_dict(model.state_dict())
    return other


@torch.no_grad()
def cached_error(model, lengths, chunks, attention="auto"):
    """The largest difference of any logit: read in chunks, taken back and read again, and forked."""
    longest, other = max(lengths), in_another_way(model, attention)
    rows = [torch.randint(0, 13, (n,), generator=torch.Generator().manual_seed(n)) for n in lengths]
    padding = [longest - n for n in lengths]
    ids = torch.stack([torch.cat((torch.full((n,), 5), row)) for n, row in zip(padding, rows, strict=True)])
    expected = [model(row[None])[0] for row in rows]
    cache = other.new_cache(len(rows), longest, padding=padding)
    whole = torch.cat([other(part, cache) for part in ids.split(chunks, dim=1)], dim=1)
    for back in (5, 16):
        cache.roll_back(longest - back)
        again = other(ids[:, -back:-3], cache)
        cache.roll_back(longest - 4)
    order = [*reversed(range(len(rows))), 0]
    forked = other(ids[order, -4:], cache.fork(order))
    errors = [(actual[-len(right) :] - right).abs().max() for actual, right in zip(whole, expected, strict=True)]
    errors += [(a - r[-16:-3]).abs().max() for a, r in zip(again, expected, strict=True)]
    errors += [(a - expected[row][-4:]).abs().max() for a, row in zip(forked, order, strict=True)]
    return max(map(float, errors))


#: Bugs that a cache may have, each in one line: module, code, and the code with the bug.
BUGS = {
    "slot 0 is overwritten": (
        "kept",
        "self.slots[..., first : first + to_the_end, :] =",
        "self.slots[..., :to_the_end, :] =",
    ),
    "the ring is read from its first slot": ("kept", "(end - n) % self.n_slots", "0"),
    "the halves of the ring are swapped": (
        "kept",
        "(self.slots[..., first:, :], self.slots[..., : first + n - self.n_slots, :])",
        "(self.slots[..., : first + n - self.n_slots, :], self.slots[..., first:, :])",
    ),
    "the window is one too long": (
        "block",
        "window=self.window, slopes",
        "window=self.window and self.window + 1, slopes",
    ),
    "the cache's window is one too short": (
        "kept",
        "min(start, self.window - 1)",
        "min(start, max(0, self.window - 2))",
    ),
    "the mask is aligned to the first key": (
        "attention",
        "torch.arange(n_keys - n_queries, n_keys, device=device)",
        "torch.arange(n_queries, device=device)",
    ),
    "positions are one too far": ("gpt", "ids.device, cache.length)", "ids.device, cache.length + 1)"),
    "positions begin anew at each pass": ("gpt", "ids.device, cache.length)", "ids.device, 0)"),
    "padding counts as positions": (
        "context",
        "return slots - self.padding[:, None]",
        "return slots + 0 * self.padding[:, None]",
    ),
    "padding is seen": (
        "pattern",
        "return mask & (real[:, None, None, :] |",
        "return mask & (True | real[:, None, None, :] |",
    ),
    "padding is counted from the first key": ("block", "context.padding - first_key", "context.padding"),
    "a convolution takes in padding": ("convolution", "new = x if real is None else x * real", "new = x"),
    "a convolution loses its past": ("convolution", "context.kept.inputs.extend(new, context.start)", "new"),
    "values are keys": ("kept", "self.values.extend(v, start)", "self.values.extend(k, start)"),
    "fork takes the rows in their old order": (
        "kept",
        "self.slots.index_select(0, rows)",
        "self.slots[: len(rows)].clone()",
    ),
    "fork keeps the old padding": (
        "cache",
        "self.padding[chosen]",
        "self.padding[: len(chosen)].repeat(2)[: len(chosen)]",
    ),
    "rolling back changes nothing": ("cache", "self.length = length\n", "self.length = max(length, self.length - 1)\n"),
}


@contextmanager
def planted(bug):
    """The functions of a module with the bug in their bodies, while the block runs."""
    name, old, new = BUGS[bug]
    module = import_module(f"minigpt.model.{name}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise ValueError(f"{old!r} occurs {source.count(old)} times in {module.__file__}; expected once")
    changed = ModuleType(module.__name__)
    with patch.dict(_registry), patch.dict(_twins):
        exec(compile(source.replace(old, new), module.__file__, "exec"), vars(changed))
    with_bug = dict(_functions(changed))
    before = [(function, function.__code__, with_bug[name].__code__) for name, function in _functions(module)]
    try:
        for function, _, code in before:
            function.__code__ = code
        yield
    finally:
        for function, code, _ in before:
            function.__code__ = code


def _functions(module):
    for name, value in vars(module).items():
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and not value.__code__.co_freevars:
            yield name, value
        if isinstance(value, type) and value.__module__ == module.__name__:
            for inner, function in vars(value).items():
                if isinstance(function, FunctionType) and not function.__code__.co_freevars:
                    yield f"{name}.{inner}", function


def main():
    torch.set_num_threads(1)
    worst, n_runs = 0.0, 0
    for setting in SETTINGS:
        model, errors = make_model(*setting), {}
        for rows, chunks, way in itertools.product(ROWS, CHUNKS, WAYS):
            errors[rows, chunks, way] = cached_error(model, ROWS[rows], CHUNKS[chunks], way)
        at = max(errors, key=errors.get)
        worst, n_runs = max(worst, errors[at]), n_runs + len(errors)
        print(f"{setting!s:48}{errors[at]:.1e}  {', '.join(at)}", flush=True)
    print(f"{len(SETTINGS)} models, {n_runs} runs: the largest error is {worst:.1e}, the tolerance {TOLERANCE:.0e}")
    for bug in BUGS:
        with planted(bug):
            print(f"{bug:48}{max(errors_of_sample()):.1e}", flush=True)
    return worst <= TOLERANCE


#: A few settings that together have every scheme, window, convolution and kind of row; each bug shows in one of them.
SAMPLE = (
    (("learned", 4, None, None), "ragged", "mixed"),
    (("sinusoidal", 2, 3, None), "equal", "singly"),
    (("rope-half", 2, None, 3), "ragged", "prompt"),
    (("rope-interleaved", 1, 7, None), "ragged", "mixed"),
    (("alibi", 2, 3, 3), "ragged", "singly"),
    (("none", 1, 1, 1), "one", "at once"),
    (("alibi", 4, None, None), "ragged", "singly"),
    (("learned", 2, 7, 3), "ragged", "mixed"),
)


def errors_of_sample():
    """The error of each of the sample; infinite where the code fails."""
    for setting, rows, chunks in SAMPLE:
        try:
            yield cached_error(make_model(*setting), ROWS[rows], CHUNKS[chunks])
        except (RuntimeError, ValueError, IndexError):
            yield float("inf")


if __name__ == "__main__":
    raise SystemExit(not main())
