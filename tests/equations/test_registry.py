import inspect
from importlib import import_module

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigpt import equations
from minigpt.checks import CHECKS, Draw, compared, largest_error
from minigpt.equations import equation

NAMES = [eq.name for eq in equations.all()]
SEED = ["attention-weights", "attention-output", "cross-entropy"]

# Public mathematics without an equation of its own, and why.
WITHOUT = {
    "predict_growth": "step times by the machine's equations; tests/cost/test_growth.py",
    "CausalSelfAttention": "the projections around model-attention; tests/model/test_block.py",
    "LayerNorm": "owns the parameters of layer-norm; tests/model/test_norms.py",
    "ShortConvolution": "owns the weights of short-convolution",
    "RMSNorm": "owns the parameter of rms-norm; tests/model/test_norms.py",
    "rotary": "calls rotary-interleaved or rotary-half, by the layout",
    "initialise": "draws weights",
    "continuation_log_probs": "sums of a Decoder's log-softmax; tests/evaluation/test_continuations.py",
    "generate": "a loop around a Sampler",
    "generate_ids": "a loop around a Sampler",
    "stream": "a loop around a Sampler",
    "stream_ids": "a loop around a Sampler",
    "beam_search": "a search by beam-score; tests/generation/test_beams.py",
    "best_of": "draws and sorts; tests/generation/test_beams.py",
    "token_log_probabilities": "log-softmax of each position; tests/generation/test_beams.py",
    "for_generation": "the same model with other linear layers; tests/generation/test_inference.py",
    "copy_error": "compares two models token by token; tests/evaluation/test_copies.py",
    "borders_of": "reads how documents begin and end",
    "compare": "trains and evaluates",
    "evaluate_calibration": "asks a model and calls expected-calibration-error",
    "decay_groups": "sorts parameters",
    "roles_of": "reads what modules declare",
    "LossModule": "the summed next-token-loss or head-loss of a model; tests/training/test_losses.py",
    "find_learning_rate": "trains along exponential-ramp",
    **dict.fromkeys(
        [
            "backward_flops",
            "estimate",
            "kept_activations",
            "peak_bytes",
            "plan_budget",
            "cache_bytes",
            "predict_memory",
            "step_seconds",
        ],
        "puts figures together; tests/cost",
    ),
    "step_seconds": "a sum of measured times; tests/cost/test_machine.py",
    **dict.fromkeys(["parse_budget", "published_config"], "reads a name"),
    "evaluate": "calls split_loss and counts bytes",
    "evaluate_stories": "calls row losses and the grammar",
    "evaluate_task": "counts right answers",
    "tiled_attention": "online_softmax, a tile at a time; tests/learn/test_tiles.py",
    "ladder": "calls the baselines and split_loss, and compressors",
    **dict.fromkeys(["accumulate_gradients", "train", "train_step"], "the training loop"),
    **dict.fromkeys(
        ["build_tokenizer", "hardware_sizes", "load_model", "open_splits", "prepare_run", "recipe", "start_run"],
        "sets up a run",
    ),
    **dict.fromkeys(["load_checkpoint", "save_checkpoint"], "writes and reads files"),
}


def public_mathematics():
    """The functions, layers and optimizers that the rooms of the library offer, by name."""
    rooms = [
        import_module(f"minigpt.{room}")
        for room in ("model", "training", "generation", "evaluation", "runs", "learn", "cost")
    ]
    things = {name: getattr(room, name) for room in rooms for name in room.__all__}
    kinds = (torch.nn.Module, torch.optim.Optimizer)
    return {n: t for n, t in things.items() if inspect.isfunction(t) or (inspect.isclass(t) and issubclass(t, kinds))}


def has_equation(thing):
    return getattr(vars(thing).get("equation"), "function", None) is thing


def draws(data, dtype):
    return Draw(lambda low, high: data.draw(st.integers(low, high)), dtype)


short = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", NAMES)
@short
@given(data=st.data())
def test_the_function_is_its_equation_to_1e_10(name, data):
    for actual, expected in compared(equations.get(name), draws(data, torch.float64)).values():
        bound = 1e-10 * float(expected.abs().max())
        torch.testing.assert_close(actual.double(), expected, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
@short
@given(data=st.data())
def test_the_function_is_its_equation_in_lower_precision(name, dtype, data, assert_near):
    for actual, expected in compared(equations.get(name), draws(data, dtype)).values():
        assert_near(actual.double() if actual.dtype == torch.bool else actual, expected, scale=2)


def test_every_equation_has_a_check_and_every_check_an_equation():
    assert set(NAMES) == set(CHECKS)


def test_every_public_function_has_an_equation_or_a_reason():
    public = public_mathematics()
    assert sorted(name for name, thing in public.items() if not has_equation(thing)) == sorted(WITHOUT)


def test_the_seed_documents_formulas_come_first_and_as_they_are_written():
    first = equations.all()[:3]
    assert [eq.name for eq in first] == SEED
    assert [eq.latex for eq in first] == [
        r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
        r"v'_i = \sum_{j=1}^{n} a_{ij} v_j",
        r"L = -\sum_{i=1}^{n} y_i \log(p_i)",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_equation_has_a_source_and_says_what_its_inputs_are(name):
    eq = equations.get(name)
    assert eq.source
    assert set(eq.inputs.values()) - set(eq.symbols) <= {
        "n",
        "d",
        "T",
        "S",
        "D",
        "E",
        "F",
        "G",
        "H",
        "V",
        "B",
        "K",
        "M",
        "R",
        "C",
    }


def test_an_equation_that_differs_from_its_function_is_found():
    eq = equations.get("softmax")
    wrong = equations.Equation("softmax", eq.latex.replace("z_i", "2 z_i"), symbols=eq.symbols, function=eq.function)
    assert largest_error(eq) < 1e-10 < 1e-3 < largest_error(wrong)


def test_an_equation_without_a_check_is_an_error():
    with pytest.raises(ValueError, match="the equation 'unheard-of' has no check; write one in"):
        largest_error(equations.Equation("unheard-of", "y = x"))


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr("minigpt.equations.registry._registry", {})


def double(x):
    return 2 * x


def test_a_decorated_function_carries_its_equation_and_is_listed(registry):
    assert equation("double", r"y = 2 x", source="§1")(double) is double
    assert equations.all() == (double.equation,)
    assert equations.get("double") is double.equation
    assert double.equation.function is double
    assert double.equation.source == "§1"


def test_registering_a_name_again_replaces_it_for_the_same_function_only(registry):
    equation("double", r"y = 2 x")(double)
    equation("double", r"y = x + x")(double)
    assert equations.get("double").latex == r"y = x + x"
    with pytest.raises(ValueError, match=r"belongs to .*double; choose another name"):
        equation("double", r"y = 2 x")(np.mean)


def test_an_unknown_name_is_an_error_that_names_the_nearest(registry):
    equation("softmax", r"y = 2 x")(double)
    with pytest.raises(ValueError, match="no equation 'sofmax'; did you mean softmax"):
        equations.get("sofmax")
