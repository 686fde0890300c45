import dataclasses
import json

import pytest

from minigpt.model import PRESETS, GPTConfig


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
        ({"mlp": "relu"}, "mlp='relu' is unknown"),
        ({"attention": "flash"}, "attention='flash' is unknown; choose one of formula, sdpa, triton, auto"),
        ({"vocab_size": 0}, "vocab_size=0 must be a whole number of at least 1"),
        ({"n_layers": 2.5}, "n_layers must be int, got 2.5"),
        ({"n_heads": True}, "n_heads must be int, got True"),
        ({"bias": "no"}, "bias must be bool, got 'no'"),
        ({"norm_eps": float("nan")}, "norm_eps=nan must be a finite number of at least 0"),
        ({"rope_base": 0}, "rope_base=0.0 must be a finite number greater than 0"),
        ({"window": 0}, "window=0 must be a whole number of at least 1"),
        ({"initialisation": "xavier"}, "initialisation='xavier' is unknown; choose one of gpt2, plain, zero"),
        ({"init_std": 0.0}, "init_std=0.0 must be a finite number greater than 0"),
        ({"dropout": 1.0}, r"dropout=1.0 must lie in \[0, 1\)"),
        ({"d_model": 18, "n_heads": 6, "position": "rope-half"}, "needs an even width, got 3"),
    ],
)
def test_a_wrong_field_gets_one_message_with_the_mend(changes, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig(**{"vocab_size": 10, **changes})


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValueError, match="preset='gpt5' is unknown; choose one of nano, micro, gpt2"):
        GPTConfig.preset("gpt5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "must be JSON"),
        ("[1]", "must be a JSON object, got list"),
        ('{"vocab_size": 5, "width": 3}', r"unknown field\(s\) \['width'\]"),
        ("{}", "lacks the field vocab_size"),
        ('{"vocab_size": "5"}', "vocab_size must be .*int.*, got '5'"),
        ('{"vocab_size": true}', "vocab_size must be .*int.*, got True"),
        ('{"vocab_size": 5, "bias": 1}', "bias must be .*bool.*, got 1"),
        ('{"vocab_size": 5, "n_kv_heads": "2"}', "n_kv_heads must be .*, got '2'"),
    ],
)
def test_a_broken_json_configuration_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        GPTConfig.from_json(text)


def test_none_is_allowed_where_it_has_a_meaning():
    fields = json.loads(GPTConfig(vocab_size=5).to_json())
    assert fields["n_kv_heads"] is None
    assert GPTConfig.from_json(json.dumps(fields)).n_kv_heads is None
