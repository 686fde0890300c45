import dataclasses
import json
import math
from contextlib import suppress

import pytest
import torch

from minigpt.model import GPT, PRESETS, GPTConfig


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_goes_to_json_and_back(name):
    config = GPTConfig.preset(name)
    assert GPTConfig.from_json(config.to_json()) == config


def test_what_is_set_wins_over_the_preset():
    config = GPTConfig.preset("nano", vocab_size=65, context_length=32)
    assert (config.vocab_size, config.context_length, config.d_model) == (65, 32, 128)


def test_defaults_follow_from_the_widths():
    config = GPTConfig(vocab_size=10, d_model=96, n_heads=6)
    assert (config.kv_heads, config.head_width, config.hidden_width) == (6, 16, 384)
    assert dataclasses.replace(config, mlp="swiglu").hidden_width == 256
    assert dataclasses.replace(config, n_kv_heads=2, d_hidden=100).hidden_width == 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"d_model": 100, "n_heads": 6}, "d_model=100 must be divisible by n_heads=6; try d_model=96"),
        ({"d_model": 4, "n_heads": 6}, "d_model=4 must be divisible by n_heads=6; try n_heads=4"),
        ({"n_kv_heads": 4}, r"n_heads=6 must be a multiple of n_kv_heads=4; try one of \[1, 2, 3, 6\]"),
        ({"position": "rotary"}, "position='rotary' is unknown; choose one of none, sinusoidal, learned, rope-"),
        ({"norm": "batch"}, "norm='batch' is unknown"),
        ({"norm_placement": "mid"}, "norm_placement='mid' is unknown; choose one of pre, post"),
        ({"mlp": "silu"}, "mlp='silu' is unknown"),
        ({"attention": "flash"}, "attention='flash' is unknown; choose one of formula, sdpa, products, triton, auto"),
        ({"vocab_size": 0}, "vocab_size=0 must be a whole number from 1 to 2,147,483,647"),
        ({"n_layers": 2.5}, "n_layers must be int, got 2.5"),
        ({"n_heads": True}, "n_heads must be int, got True"),
        ({"bias": "no"}, "bias must be bool, got 'no'"),
        ({"norm_eps": float("nan")}, "norm_eps=nan must be a finite number of at least 0"),
        ({"rope_base": 0}, "rope_base=0.0 must be a finite number greater than 0"),
        ({"window": 0}, "window=0 must be a whole number from 1 to 16,777,216"),
        ({"initialisation": "xavier"}, "initialisation='xavier' is unknown; choose one of gpt2, plain, zero"),
        ({"init_std": 0.0}, "init_std=0.0 must be a finite number greater than 0"),
        ({"dropout": 1.0}, r"dropout=1.0 must lie in \[0, 1\)"),
        ({"d_model": 18, "n_heads": 6, "position": "rope-half"}, "needs an even width, got 3"),
        ({"vocab_size": 2**63}, "vocab_size=9223372036854775808 must be a whole number from 1 to"),
        ({"n_layers": 10**12}, "n_layers=1000000000000 must be a whole number from 1 to 4,096"),
        ({"d_model": 10**12}, "d_model=1000000000000 must be a whole number from 1 to 1,048,576"),
        ({"d_model": 10**30}, "d_model=10{30} must be a whole number from 1 to"),
        ({"d_model": 10**5000}, "d_model=a number of about 5,001 digits must be a whole number from 1 to"),
        ({"context_length": 10**12}, "context_length=10{12} must be a whole number from 1 to"),
        ({"convolution": 10**12}, "convolution=10{12} must be a whole number from 1 to"),
        ({"d_hidden": 10**12}, "d_hidden=10{12} must be a whole number from 1 to"),
        ({"norm_eps": -1}, "norm_eps=-1.0 must be a finite number of at least 0; GPT-2 has 1e-5"),
        ({"norm_eps": math.inf}, "norm_eps=inf must be a finite number of at least 0"),
        ({"norm_eps": 10**400}, "norm_eps must be float, got a number of about 401 digits"),
        ({"rope_base": -1}, "rope_base=-1.0 must be a finite number greater than 0; the paper has 10000"),
        ({"rope_base": math.nan}, "rope_base=nan must be a finite number greater than 0"),
        ({"dropout": math.nan}, r"dropout=nan must lie in \[0, 1\)"),
        ({"position": []}, r"position must be a text, got \[\]"),
        ({"norm": "rmsnorm"}, r"norm='rmsnorm' is unknown; choose one of layer, rms; did you mean rms\?"),
    ],
)
def test_a_wrong_field_gets_one_message_with_the_mend(changes, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig(**{"vocab_size": 10, **changes})


@pytest.mark.parametrize(
    "shape",
    [
        {"d_model": 18, "n_heads": 6, "position": "rope-half"},
        {"d_model": 35, "n_heads": 5, "position": "rope-interleaved"},
        {"d_model": 9, "n_heads": 3, "position": "sinusoidal"},
        {"d_model": 20, "n_heads": 6},
    ],
)
def test_the_width_that_a_refusal_suggests_is_accepted(shape):
    with pytest.raises(ValueError, match="try d_model=") as refused:
        GPTConfig(vocab_size=10, **shape)
    suggested = int(str(refused.value).rpartition("try d_model=")[2])
    assert GPTConfig(vocab_size=10, **{**shape, "d_model": suggested}).d_model == suggested


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValueError, match="preset='gpt5' is unknown; choose one of nano, micro, gpt2"):
        GPTConfig.preset("gpt5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the model configuration is not JSON"),
        ("[" * 100_000, "the model configuration is not JSON"),
        ('{"a":' * 100_000, "the model configuration is not JSON"),
        ("[1]", "the model configuration should hold a JSON object, found list"),
        ('{"vocab_size": 5, "width": 3}', r"unknown field\(s\) \['width'\]"),
        ("{}", "lacks the field vocab_size"),
        ('{"vocab_size": "5"}', "vocab_size must be .*int.*, got '5'"),
        ('{"vocab_size": true}', "vocab_size must be .*int.*, got True"),
        ('{"vocab_size": 5, "bias": 1}', "bias must be .*bool.*, got 1"),
        ('{"vocab_size": 5, "n_kv_heads": "2"}', "n_kv_heads must be .*, got '2'"),
        ('{"vocab_size": 5, "norm_eps": NaN}', "norm_eps=nan must be a finite number"),
        ('{"vocab_size": 5, "norm_eps": 1e999}', "norm_eps=inf must be a finite number"),
        ('{"vocab_size": 5, "n_layers": 1e3}', "n_layers must be int, got 1000.0"),
    ],
    ids=range(13),
)
def test_a_broken_json_configuration_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig.from_json(text)


@pytest.mark.parametrize("value", [None, 3, b"{}", ["{}"]])
def test_what_is_no_text_is_no_configuration(value):
    with pytest.raises(ValueError, match="the model configuration must be a JSON text, got"):
        GPTConfig.from_json(value)


def test_none_is_allowed_where_it_has_a_meaning():
    fields = json.loads(GPTConfig(vocab_size=5).to_json())
    assert fields["n_kv_heads"] is None
    assert GPTConfig.from_json(json.dumps(fields)).n_kv_heads is None


SHAPES = [
    {},
    {"tied_head": False, "bias": False},
    {"norm": "rms", "qk_norm": True, "position": "rope-half", "mlp": "relu2"},
    {"norm_placement": "post", "convolution": 3, "n_kv_heads": 2},
    {"mlp": "swiglu", "bias": True, "d_hidden": 20, "position": "none"},
    {
        "norm": "rms",
        "norm_placement": "post",
        "qk_norm": True,
        "position": "sinusoidal",
        "mlp": "swiglu",
        "bias": False,
    },
]


@pytest.mark.parametrize("shape", [*SHAPES, *({"preset": name} for name in PRESETS)], ids=str)
def test_the_parameters_are_counted_without_building_the_model(shape):
    preset = shape.get("preset")
    small = {"vocab_size": 11, "context_length": 7, "d_model": 24, "n_layers": 3, "n_heads": 6}
    config = GPTConfig(**{**small, **shape}) if preset is None else GPTConfig.preset(preset)
    with torch.device("meta"):
        assert config.n_parameters == GPT(config).n_parameters


def test_the_largest_models_that_were_trained_can_be_described():
    gpt3 = GPTConfig(vocab_size=50257, context_length=2048, d_model=12288, n_layers=96, n_heads=96)
    assert gpt3.n_parameters == 174_604_259_328  # 174.6 billion by Brown et al. 2020, table 2.1: "175B"


def test_a_model_that_no_memory_can_hold_is_refused_by_arithmetic():
    with pytest.raises(ValueError, match=r"d_model=1048576, n_layers=96, .* has 1\.3e\+15 parameters, 5,\d+ TB"):
        GPTConfig(vocab_size=50257, d_model=2**20, n_layers=96, n_heads=64)


JSON_VALUES = [0, 1, -1, 10**30, 1.5, math.nan, math.inf, "x", "", "inf", True, None, [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("value", JSON_VALUES, ids=str)
def test_a_field_with_any_other_value_is_refused_or_meant(value):
    fields = json.loads(GPTConfig(vocab_size=5).to_json())
    for name in fields:
        with suppress(ValueError):
            config = GPTConfig.from_json(json.dumps({**fields, name: value}))
            assert GPTConfig.from_json(config.to_json()) == config
            found = getattr(config, name)
            assert found == value or found == float(value), name
