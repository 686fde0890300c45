"""What each fast twin is run on: ``CASES`` maps its name to a function from a ``Draw`` to its cases.

A case has one or several knobs off their defaults; over all cases of a twin, each knob is. Sizes are odd, and tensors
have NaN between their numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from minigpt.checks import Draw
from minigpt.model import Pattern, alibi_slopes
from minigpt.model.experts import top_k_gate
from minigpt.text import BPETokenizer
from minigpt.training import OPTIMIZERS
from minigpt.training.optim.orthogonal import POLYNOMIALS

SHAPES = [(1, 1), (3, 7), (2, 5, 9), (129, 3)]


@dataclass(frozen=True)
class Case:
    """One run of a twin and of its formula.

    Attributes:
        inputs: what gradients are taken of.
        twin: from the fast function and the inputs to its results, by name.
        formula: the same of the formula; by default as the twin.
        knobs: the options that are off their defaults, by name.
    """

    inputs: dict[str, Tensor]
    twin: Callable[..., dict[str, Any]]
    formula: Callable[..., dict[str, Any]] | None = None
    knobs: dict[str, Any] = field(default_factory=dict)


CASES: dict[str, Callable[[Draw], Iterator[Case]]] = {}


def cases(*names: str) -> Callable:
    """Register the cases of twins."""

    def register(function: Callable) -> Callable:
        CASES.update(dict.fromkeys(names, function))
        return function

    return register


def apart(x: Tensor) -> Tensor:
    """The numbers of ``x`` with NaN between them."""
    buffer = torch.full((*x.shape[:-1], 2 * x.shape[-1] + 1), math.nan, dtype=x.dtype)
    return buffer[..., 1::2].copy_(x)


def called(function: Callable, inputs: dict[str, Tensor], *more: Any, **options: Any) -> dict[str, Tensor]:
    """The result of a function of all inputs, in their order; a Triton kernel runs on the GPU if there is one."""
    device = "cuda" if torch.cuda.is_available() and "triton" in function.__name__ else "cpu"
    given = {name: x.to(device) if isinstance(x, Tensor) else x for name, x in {**inputs, **options}.items()}
    arguments = [given[name] for name in inputs]
    return {"result": function(*arguments, *more, **{name: given[name] for name in options}).cpu()}


@cases(*(f"model.mlp.fast_{name}" for name in ("gelu", "gelu_tanh", "relu_squared", "silu")))
def _activations(draw: Draw) -> Iterator[Case]:
    for shape in SHAPES:
        x = draw.normal(*shape, scale=3.0)
        x[..., 0] = 3.0  # no result is small beside the others: relative to itself its error could be large
        yield Case({"x": apart(x)}, called)
    yield Case({"x": apart(torch.tensor([-50.0, -0.0, 0.0, 50.0]).to(draw.dtype))}, called)


def _norms(draw: Draw, *, shift: bool = False, shapes: Sequence[tuple[int, ...]] = SHAPES[1:]) -> Iterator[Case]:
    for shape in shapes:
        x, gain = apart(draw.normal(*shape, scale=3.0) + 1), draw.normal(shape[-1])
        yield Case({"x": x, "gain": gain}, called)
        yield Case({"x": x, "gain": gain}, partial(called, eps=0.3), knobs={"eps": 0.3})
        if shift:
            yield Case({"x": x, "gain": gain, "shift": draw.normal(shape[-1])}, called, knobs={"shift": "given"})


CASES["model.norms.fast_layer_norm"] = partial(_norms, shift=True)
CASES["model.norms.fast_rms_norm"] = CASES["model.norms.torch_rms_norm"] = _norms
CASES["model.fused.triton_rms_norm"] = partial(_norms, shapes=SHAPES[1:3])


@cases("model.experts.through_chosen")
def _experts(draw: Draw) -> Iterator[Case]:
    for n_tokens, n_experts, k in ((1, 3, 1), (7, 1, 1), (9, 5, 2), (5, 4, 4)):
        x, matrices, scores = draw.normal(n_tokens, 5), draw.normal(n_experts, 5, 5), draw.normal(n_tokens, n_experts)

        def mixed(function: Callable, given: dict[str, Tensor], k: int = k) -> dict[str, Tensor]:
            experts = [lambda rows, m=m: rows @ m for m in given["matrices"]]
            return {"y": function(given["x"], top_k_gate(given["scores"], k), experts)}

        yield Case({"x": apart(x), "scores": scores, "matrices": matrices}, mixed)


@cases("model.convolution.fast_short_convolution")
def _convolutions(draw: Draw) -> Iterator[Case]:
    for n_positions, n_taps in ((1, 4), (3, 4), (7, 1), (129, 3)):
        x, weights = draw.normal(3, 2, n_positions, 5), draw.normal(n_taps, 5)
        yield Case({"x": apart(x), "weights": apart(weights)}, called)


def _attention(
    draw: Draw, patterns: tuple[dict[str, Any], ...], longest: int, batch: int = 2, n_queries: int | None = None
) -> Iterator[Case]:
    for i, options in enumerate(patterns):
        n_heads, n_groups = ((3, 3), (4, 2), (4, 1))[i % 3]
        n_keys = longest if i == 0 else 11 + i
        length = n_queries or (n_keys if i % 2 == 0 else n_keys - 4)
        q = draw.normal(batch, length, n_heads, 5).transpose(1, 2)
        k, v = draw.normal(2, batch, n_groups, n_keys, 5)

        def run(function: Callable, inputs: dict[str, Tensor], options: dict[str, Any] = options) -> dict[str, Tensor]:
            torch.manual_seed(0)  # dropout
            return called(function, inputs, Pattern(**options))

        yield Case({"q": q, "k": apart(k), "v": apart(v)}, run, knobs=options)


@cases("model.backends.sdpa_attention")
def _sdpa(draw: Draw) -> Iterator[Case]:
    slopes = {"slopes": alibi_slopes(4)}
    padded = {"padding": torch.tensor([3, -1])}
    patterns = ({}, slopes, {"window": 5}, {"scale": 0.3}, {**slopes, "window": 3, "scale": 1.2}, {"dropout": 0.3}, {})
    yield from _attention(draw, (*patterns, padded, {**slopes, **padded, "window": 5, "scale": 0.3}), 129)
    one_query = ({}, {**slopes, **padded, "window": 5}, {"window": 4}, {**padded, "scale": 0.3}, slopes, padded)
    yield from _attention(draw, one_query, 9, n_queries=1)


@cases("model.backends.product_attention")
def _products(draw: Draw) -> Iterator[Case]:
    few, many, padding = {"slopes": alibi_slopes(3)}, {"slopes": alibi_slopes(4)}, {"padding": torch.tensor([3, -1])}
    patterns = ({}, {"window": 5}, {"scale": 0.3}, {"dropout": 0.3, "window": 4}, {}, padding, few, many)
    yield from _attention(draw, (*patterns, {**many, "window": 3, "scale": 1.2}, few), 65)


@cases("generation.inference.linear_by_columns")
def _linear_maps(draw: Draw) -> Iterator[Case]:
    for shape, n_out in (((1, 7), 5), ((2, 3, 9), 4), ((33, 2), 1)):
        for knobs in ({}, {"bias": draw.normal(n_out)}):
            inputs = {"x": apart(draw.normal(*shape)), "weight": draw.normal(n_out, shape[-1]), **knobs}

            def twin(function: Callable, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
                return called(function, {**inputs, "weight": inputs["weight"].T.contiguous()})

            yield Case(inputs, twin, called, knobs)


@cases("model.backends.triton_attention")
def _triton_attention(draw: Draw) -> Iterator[Case]:
    yield from _attention(draw, ({}, {"window": 5, "scale": 0.3}), 35, batch=1)


@cases("model.loss.next_token_loss")
def _losses(draw: Draw) -> Iterator[Case]:
    for options in ({}, {"ignore_index": 2}, {"reduction": "sum"}, {"label_smoothing": 0.2}):
        logits, targets = apart(draw.normal(3, 7, 11, scale=3.0)), draw.ids(3, 7, below=11)
        counts = targets != options.get("ignore_index", -100)
        smoothing = options.get("label_smoothing", 0.0)

        def formula(
            function: Callable, inputs: dict[str, Tensor], given=(targets, counts, options, smoothing)
        ) -> dict[str, Tensor]:
            targets, counts, options, smoothing = given
            logits = inputs["logits"]
            of_all = torch.stack([function(logits, torch.full_like(targets, c)) for c in range(logits.shape[-1])])
            losses = (1 - smoothing) * function(logits, targets) + smoothing * of_all.mean(0)
            total = losses[counts].sum()
            return {"result": total if options.get("reduction") == "sum" else total / counts.sum()}

        yield Case({"logits": logits}, partial(called, targets=targets, **options), formula, options)


def _head_losses(draw: Draw, options: tuple[dict[str, Any], ...]) -> Iterator[Case]:
    for knobs in ({}, *options):
        vocab = 32 if "label_smoothing" in knobs else 29  # a kernel gets the share of a token in float32: exact here
        x, weight, targets = apart(draw.normal(3, 11, 6)), draw.normal(vocab, 6), draw.ids(3, 11, below=vocab)
        of_both = {name: value for name, value in knobs.items() if name != "rows_at_once"}

        def formula(function: Callable, inputs: dict[str, Tensor], given=(targets, of_both)) -> dict[str, Tensor]:
            return {"result": function(inputs["x"] @ inputs["weight"].T, given[0], **given[1])}

        yield Case({"x": x, "weight": weight}, partial(called, targets=targets, **knobs), formula, knobs)


HEAD_KNOBS = {"ignore_index": 2, "reduction": "sum", "label_smoothing": 0.25}
CASES["model.chunked_loss.chunked_next_token_loss"] = partial(
    _head_losses, options=(*({name: value} for name, value in HEAD_KNOBS.items()), {"rows_at_once": 5})
)
CASES["model.fused.triton_next_token_loss"] = partial(_head_losses, options=(HEAD_KNOBS,))

STATES = {"sgd": (), "momentum": ("m",), "adam": ("m", "v"), "adamw": ("m", "v"), "lion": ("m",), "muon": ("m",)}
#: Of each optimizer the settings that its equation has, off their defaults.
SETTINGS = {
    "sgd": ({"lr": 0.3, "weight_decay": 0.2},),
    "momentum": ({"lr": 0.3, "momentum": 0.7, "nesterov": True, "weight_decay": 0.2}, {"lr": 0.3}),
    "adam": ({"lr": 0.3, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.2}, {"lr": 0.3}),
    "adamw": ({"lr": 0.3, "betas": (0.8, 0.95), "eps": 0.1, "weight_decay": 0.2}, {"lr": 0.3}),
    "lion": ({"lr": 0.3, "betas": (0.8, 0.95), "weight_decay": 0.2}, {"lr": 0.3}),
    "muon": (
        {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.2, "orthogonal": "polar-3", "precision": torch.float64},
        {"lr": 0.3},
    ),
}


def _update(
    function: Callable, inputs: dict[str, Tensor], *, name: str, settings: dict[str, Any], role: str
) -> dict[str, Tensor]:
    """Three updates of two parameters of one shape and one of another, from states that are not 0."""
    thetas = [nn.Parameter(inputs[f"theta_{i}"].clone()) for i in range(3)]
    (group,) = OPTIMIZERS[name](thetas, **settings).param_groups
    states = [{key: inputs[f"{key}_{i}"].clone() for key in STATES[name]} for i in range(3)]
    for state in states if "v" in STATES[name] else ():
        state |= {"step": torch.tensor(4.0), "v": state["v"].square()}
    for step in range(3):
        for i, theta in enumerate(thetas):
            theta.grad = (step + 1) * inputs[f"g_{i}"].clone()
        with torch.no_grad():
            function({**group, "role": role}, thetas, states)
    after = {f"{key}_{i}": value for i, state in enumerate(states) for key, value in state.items() if key != "step"}
    return {**{f"theta_{i}": theta.detach() for i, theta in enumerate(thetas)}, **after}


def _updates(draw: Draw, *, name: str) -> Iterator[Case]:
    for settings in SETTINGS[name]:
        for role in ("matrix", "qkv") if name == "muon" else ("matrix",):
            shapes = [(9, 3), (9, 3), (13, 7)]
            keys = ("theta", "g", *STATES[name])
            inputs = {f"{key}_{i}": draw.normal(*shape) for i, shape in enumerate(shapes) for key in keys}
            yield Case(inputs, partial(_update, name=name, settings=settings, role=role), knobs=settings)


CASES.update({f"training.optim.{name}.fast_update": partial(_updates, name=name) for name in SETTINGS})


@cases("training.optim.orthogonal.fast_newton_schulz")
def _orthogonal(draw: Draw) -> Iterator[Case]:
    for shape in ((1, 5, 5), (3, 3, 7), (2, 9, 4)):
        yield Case({"g": apart(draw.normal(*shape))}, called)
    yield Case({"g": apart(draw.normal(2, 3, 5))}, partial(called, steps=2), knobs={"steps": 2})
    others = {"polynomials": POLYNOMIALS["polar-3"]}
    yield Case({"g": apart(draw.normal(2, 6, 5))}, partial(called, **others), knobs=others)


@cases("training.optim.clipping.fast_clip_by_norm")
def _clipping(draw: Draw) -> Iterator[Case]:
    for max_norm in (0.5, 1000.0):
        inputs = {f"g_{i}": apart(draw.normal(*shape)) for i, shape in enumerate(SHAPES)}

        def run(function: Callable, inputs: dict[str, Tensor], max_norm: float = max_norm) -> dict[str, Tensor]:
            parameters = [nn.Parameter(torch.zeros_like(g)) for g in inputs.values()]
            for parameter, gradient in zip(parameters, inputs.values(), strict=True):
                parameter.grad = gradient.clone()
            norm = function([*parameters, nn.Parameter(torch.zeros(2))], max_norm)
            return {"norm": norm, **{name: p.grad for name, p in zip(inputs, parameters, strict=True)}}

        yield Case(inputs, run)


TEXT = "It's the year 2024, and it is 12 o'clock.\n\n  Then he said: “été”, 猫猫猫!<|endoftext|> aaaaaaab\t" * 3


@cases("text.tokenizers.byte_pairs.ByteLevelTokenizer.encode")
def _encodings(draw: Draw) -> Iterator[Case]:
    tokenizer = BPETokenizer.train(TEXT, 300 + draw.size(1, 40))
    letters = sorted(set(TEXT)) + [chr(draw.integer(0xA0, 0xD000)) for _ in range(20)]
    drawn = "".join(draw.choice(letters) for _ in range(200))
    for options in ({}, {"allow_special": True}):
        for text in ("", " " * 99, TEXT, drawn, f"{drawn}<|endoftext|>{drawn}"):

            def run(function: Callable, _: Any, text: str = text, options: dict = options) -> dict[str, Tensor]:
                return {"ids": torch.tensor(function(tokenizer, text, **options))}

            yield Case({}, run, knobs=options)
