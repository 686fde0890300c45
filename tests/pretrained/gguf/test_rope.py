"""Changed rotary frequencies in GGUF files; transformers, and llama.cpp's conversion of its models, are the oracles."""

import math
from dataclasses import replace

import gguf
import numpy as np
import pytest
import torch
from test_writing import IDS, LLAMA, drawn
from tiny_gguf import random_llama, write

import minigpt as mg
from minigpt.pretrained.gguf import gguf_config, gguf_model

LINEAR = {"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 2.5}
YARN = {
    "llama.rope.scaling.type": "yarn",
    "llama.rope.scaling.factor": 4.0,
    "llama.rope.scaling.original_context_length": 32,
}
TURNS = {"llama.rope.scaling.yarn_beta_fast": 16.0, "llama.rope.scaling.yarn_beta_slow": 2.0}
KINDS = {
    "linear": ({"rope_type": "linear", "factor": 2.5}, LINEAR),
    "a factor alone": ({"rope_type": "linear", "factor": 2.5}, {"llama.rope.scaling.factor": 2.5}),
    "yarn": ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}, YARN),
    "yarn, other turns": (
        {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32, "beta_fast": 16, "beta_slow": 2},
        YARN | TURNS,
    ),
}


def logits(model, ids):
    with torch.no_grad():
        found = model(ids)
    return getattr(found, "logits", found)


def difference(path, theirs):
    ids = torch.randint(0, 263, (1, 100), generator=torch.Generator().manual_seed(3))
    return float((logits(gguf_model(path), ids) - logits(theirs, ids)).abs().max())


def theirs_with(rope, theta=500.0):
    return random_llama(rope_parameters={"rope_theta": theta, **rope})


@pytest.mark.parametrize("name", KINDS)
def test_what_fields_say_is_what_transformers_computes(name, tmp_path):
    rope, fields = KINDS[name]
    theirs = theirs_with(rope)
    assert difference(write(tmp_path / "x.gguf", theirs, fields=fields), theirs) <= 1e-5
    assert difference(write(tmp_path / "y.gguf", theirs), theirs) > 1e-3  # without the fields it would be another


def converted(factor, length, theta, width=16, low=1.0, high=4.0):
    """What llama.cpp's conversion of a model of Hugging Face writes, pair by pair."""
    found = []
    for i in range(0, width, 2):
        wavelength = 2 * math.pi * theta ** (i / width)
        if wavelength < length / high:
            found.append(1.0)
        elif wavelength > length / low:
            found.append(factor)
        else:
            smooth = (length / wavelength - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(found, np.float32)


@pytest.mark.parametrize(("length", "theta", "told"), [(64, 500.0, True), (8192, 500_000.0, False)])
def test_the_tensor_of_llama_3_is_what_transformers_computes(length, theta, told, tmp_path):
    rope = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    theirs = theirs_with({**rope, "original_max_position_embeddings": length}, theta)
    fields = {"llama.rope.scaling.original_context_length": length} if told else {}
    tensors = {"rope_freqs.weight": converted(8.0, length, theta)}
    path = write(tmp_path / "x.gguf", theirs, fields=fields, tensors=tensors)
    assert difference(path, theirs) <= 3e-5
    assert (
        gguf_config(path).rope
        == mg.GPTConfig(
            **{"vocab_size": 9, "position": "rope-half", "rope_scaling": "llama3", "rope_factor": 8.0},
            rope_original_context=length,
        ).rope
    )


OURS = {
    "linear": {"rope_factor": 2.5},
    "yarn": {"rope_factor": 4.0, "rope_original_context": 16, "rope_low_turns": 2.0, "rope_high_turns": 16.0},
    "llama3": {"rope_factor": 8.0, "rope_original_context": 32},
}


@pytest.mark.parametrize("architecture", [{}, {"qkv_bias": True}, {"qk_norm": True}])
@pytest.mark.parametrize("kind", OURS)
def test_our_own_come_back_bit_by_bit(kind, architecture, tmp_path):
    if kind == "llama3" and architecture:
        return  # refused, see test_writing.py
    model = drawn(replace(LLAMA, **architecture, rope_scaling=kind, **OURS[kind]))
    mg.save_pretrained(model, tmp_path / "x.gguf")
    again = gguf_model(tmp_path / "x.gguf")
    assert again.config.rope == model.config.rope
    assert torch.equal(logits(again, IDS), logits(model, IDS))
    plain = mg.GPT(replace(LLAMA, **architecture)).eval()
    plain.load_state_dict(model.state_dict())
    assert (logits(plain, IDS) - logits(model, IDS)).abs().max() > 1e-3


def test_the_tensor_is_the_one_that_llama_cpp_s_conversion_writes(tmp_path):
    config = replace(LLAMA, d_head=16, rope_scaling="llama3", rope_factor=8.0, rope_original_context=100)
    mg.save_pretrained(drawn(config), tmp_path / "x.gguf")
    (found,) = (t for t in gguf.GGUFReader(tmp_path / "x.gguf").tensors if t.name == "rope_freqs.weight")
    assert found.tensor_type.name == "F32"
    np.testing.assert_allclose(found.data, converted(8.0, 100, LLAMA.rope_base), rtol=1e-6)
    assert any(1 < each < 8 for each in found.data)


@pytest.mark.parametrize(
    ("fields", "tensor", "message"),
    [
        (
            {},
            np.full(8, 3.0, np.float32),
            r"in another way than Llama 3 does with a factor of 3",
        ),
        ({}, np.ones(4, np.float32), r"rope_freqs\.weight has shape \(4,\); by its fields it should have \(8,\)"),
        (LINEAR, np.ones(8, np.float32), r"'linear' beside the tensor rope_freqs\.weight"),
        ({"llama.rope.scaling.original_context_length": 0}, np.ones(8, np.float32), "expected a whole number of at"),
        ({"llama.rope.freq_base": -1.0}, np.ones(8, np.float32), "expected a number greater than 0"),
    ],
)
def test_a_tensor_of_another_change_is_refused(fields, tensor, message, tmp_path):
    path = write(tmp_path / "x.gguf", random_llama(), fields=fields, tensors={"rope_freqs.weight": tensor})
    with pytest.raises(ValueError, match=message):
        gguf_model(path)
