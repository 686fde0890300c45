"""Checks of what training costs: sizes, operations, memory and time."""

from types import SimpleNamespace
from typing import Any

from minigpt import equations
from minigpt.checks.draw import Case, Draw, check
from minigpt.model import GPTConfig
from minigpt.model.config import MLPName


def _drawn_shape(draw: Draw) -> tuple[dict[str, int], GPTConfig]:
    """The sizes of a model, and its configuration."""
    kinds: list[tuple[MLPName, int]] = [("gelu-tanh", 2), ("swiglu", 3)]
    mlp, n_matrices = draw.choice(kinds)
    groups, width, layers, hidden, vocabulary, wide = (draw.size() for _ in range(6))
    heads = groups * draw.size()
    experts, active = draw.choice([(None, 1), (4, 3)])
    config = GPTConfig(
        vocab_size=vocabulary,
        context_length=9,
        d_model=wide,
        n_heads=heads,
        n_kv_heads=groups,
        d_head=width,
        n_layers=layers,
        d_hidden=hidden,
        mlp=mlp,
        n_experts=experts,
        n_active_experts=active,
        position="none",
    )
    sizes = {"L": layers, "D": wide, "H": heads, "G": groups, "E": width, "m": n_matrices}
    sizes |= {"k": active, "R": experts or 0}
    return {**sizes, "F": hidden, "V": vocabulary}, config


@check
def matrix_parameters(function: Any, draw: Draw) -> Case:
    """Shared heads, with and without a gate."""
    sizes, config = _drawn_shape(draw)
    return sizes, function(config)


@check
def training_flops(function: Any, draw: Draw) -> Case:
    """The number of matrix entries comes from its own equation."""
    sizes, config = _drawn_shape(draw)
    n_positions = draw.size(1, 9)
    given = {"P": equations.get("matrix-parameters").evaluate(**sizes), "T": n_positions}
    return given | {name: sizes[name] for name in "LHE"}, function(config, n_positions)


@check
def parameters(function: Any, draw: Draw) -> Case:
    """Every part present and absent."""
    sizes, config = _drawn_shape(draw)
    bias, qkv, out, mlp, learned, qk, tied, pre = (draw.integer(0, 1) for _ in range(8))
    taken_in, context = draw.integer(0, 3), draw.size()
    norm = draw.choice(["layer", "rms"])
    changes = {
        "bias": bool(bias),
        **{f"{place}_bias": bool(has) for place, has in (("qkv", qkv), ("out", out), ("mlp", mlp))},
        "position": "learned" if learned else "none",
        "qk_norm": bool(qk),
        "tied_head": bool(tied),
        "norm_placement": "pre" if pre else "post",
        "norm": norm,
        "convolution": taken_in or None,
        "context_length": context,
    }
    count = function(GPTConfig(**{**vars(config), **changes}))
    given = {name: n for name, n in sizes.items() if name != "k"} | {
        "X": config.n_experts or 1,
        "T": context,
        "K": taken_in,
        "n": 2 if norm == "layer" and bias else 1,
    }
    given |= {"c": qkv, "o": out, "b": mlp, "p": learned, "q": qk, "f": pre, "t": tied}
    parts = ("embedding", "position", "attention", "mlp", "norms", "convolution", "head")
    return given, {f"N_{letter}": getattr(count, part) for letter, part in zip("epamnch", parts, strict=True)}


@check
def attention_pairs(function: Any, draw: Draw) -> Case:
    """Windows shorter and longer than the sequence."""
    n_positions, window = draw.size(1, 6), draw.size(1, 8)
    return {"T": n_positions, "w": window}, function(n_positions, window)


@check
def forward_flops(function: Any, draw: Draw) -> Case:
    """All pairs, or those within a window."""
    sizes, config = _drawn_shape(draw)
    n_positions, window, full = draw.size(1, 6), draw.size(1, 8), draw.choice([False, True])
    layers = draw.choice(["w", "wf"])
    found = function(GPTConfig(**{**vars(config), "window": window, "window_layers": layers}), n_positions, full=full)
    widths = [window if layers[layer % len(layers)] == "w" else n_positions for layer in range(config.n_layers)]
    seen = sum(min(t, w) for t in range(1, n_positions + 1) for w in widths) / config.n_layers
    parts = ("qkv", "scores", "weighted_sum", "out", "mlp", "head")
    values = {f"C_{letter}": getattr(found, part) for letter, part in zip("qswomh", parts, strict=True)}
    return sizes | {"T": n_positions, "Q": n_positions**2 if full else seen}, values


@check
def kv_cache_bytes(function: Any, draw: Draw) -> Case:
    """With windows shorter and longer than the sequence."""
    sizes, config = _drawn_shape(draw)
    n_positions, window, n_sequences, word = draw.size(1, 6), draw.size(1, 8), draw.size(), draw.choice([2, 4])
    found = function(GPTConfig(**{**vars(config), "window": window}), n_positions, n_sequences, word=word)
    given = {name: sizes[name] for name in "LGE"} | {"s": word, "T": n_positions, "w": window, "b": n_sequences}
    return given, found


@check
def training_seconds(function: Any, draw: Draw) -> Case:
    """Any share of the peak."""
    flops, n_devices, peak, mfu = _positive(draw), draw.size(), _positive(draw), draw.integer(1, 16) / 16
    return {"C": flops, "n": n_devices, "F": peak, "u": mfu}, function(flops, n_devices, peak, mfu)


@check
def training_bill(function: Any, draw: Draw) -> Case:
    """Any price, power and site."""
    seconds, n_devices, price, watts = _positive(draw), draw.size(), _positive(draw), _positive(draw)
    site = SimpleNamespace(pue=1 + _positive(draw) / 100, kg_per_kwh=_positive(draw))
    bill = function(seconds, n_devices, price, watts, site)
    given = {"n": n_devices, "t": seconds, "p": price, "P": watts, "s": site.pue, "k": site.kg_per_kwh}
    found = (bill.device_hours, bill.dollars, bill.kilowatt_hours, bill.kilograms)
    return given, dict(zip("hdWM", found, strict=True))


@check
def data_parallel_bytes(function: Any, draw: Draw) -> Case:
    """One device, which sends nothing, and more."""
    size, n_devices, word = draw.size(1, 9), draw.size(), draw.choice([2, 4])
    sent = function(size, n_devices, word)
    given = {"N": size, "n": n_devices, "s": word}
    return given, {"M_d": sent["ddp"], "M_z": sent["zero"], "M_f": sent["fsdp"]}


@check
def zero_memory(function: Any, draw: Draw) -> Case:
    """Any words, so that none is taken for another."""
    size, n_devices, words = draw.size(1, 9), draw.size(), (draw.size(), draw.size(), draw.size(1, 12))
    found = function(size, n_devices, words)
    given = {"N": size, "n": n_devices, **dict(zip("wgk", words, strict=True))}
    return given, {"M_0": found.ddp, "M_1": found.zero_1, "M_2": found.zero_2, "M_3": found.fsdp}


@check
def tensor_parallel_bytes(function: Any, draw: Draw) -> Case:
    """One device, which sends nothing, and more."""
    sizes = {name: draw.size() for name in ("L", "b", "T", "D", "n")}
    word = draw.choice([2, 4])
    numbers = sizes["b"] * sizes["T"] * sizes["D"]
    return sizes | {"s": word}, function(sizes["L"], numbers, sizes["n"], word)


@check
def pipeline(function: Any, draw: Draw) -> Case:
    """One piece for each device, and several."""
    sizes = {name: draw.size() for name in ("b", "T", "D", "n", "m", "v")}
    word = draw.choice([2, 4])
    numbers = sizes["b"] * sizes["T"] * sizes["D"]
    bubble, sent = function(sizes["n"], sizes["m"], numbers, sizes["v"], word)
    return sizes | {"s": word}, {"u": bubble, "M": sent}


def _positive(draw: Draw) -> float:
    return draw.integer(1, 1000) / 8
