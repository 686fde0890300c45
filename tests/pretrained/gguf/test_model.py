"""Models in GGUF files, with transformers as the oracle of what they compute."""

import gguf
import numpy as np
import pytest
import torch
from tiny_gguf import as_quantized, random_llama, tensors_of, write

import minigpt as mg
from minigpt.pretrained.gguf import gguf_config, gguf_model
from minigpt.pretrained.gguf import model as module

IDS = torch.randint(3, 263, (2, 50), generator=torch.Generator().manual_seed(1))


def difference(ours, theirs):
    """The largest difference of two models' logits."""
    with torch.no_grad():
        return float((ours(IDS) - theirs(IDS).logits).abs().max())


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_1"])
def test_the_logits_are_those_of_transformers_for_each_type_of_weights(make, theirs, kind):
    assert difference(gguf_model(make(kind=kind)), as_quantized(theirs, kind)) < 1e-5


def test_rows_left_in_the_order_of_the_file_are_noticed(make, theirs, monkeypatch):
    path = make()
    monkeypatch.setattr(module, "half_split_rows", lambda weight, n_heads: weight)
    assert difference(gguf_model(path), theirs) > 0.1


def test_a_head_of_its_own_is_read(tmp_path):
    other = random_llama(tie_word_embeddings=False)
    ours = gguf_model(write(tmp_path / "own.gguf", other))
    assert not ours.config.tied_head and difference(ours, other) < 1e-5


def test_the_configuration_is_that_of_the_file(make):
    config = gguf_config(make(), dropout=0.1, attention="formula")
    shape = {"vocab_size": 263, "context_length": 128, "d_model": 64, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2}
    parts = {"position": "rope-half", "rope_base": 500.0, "norm": "rms", "norm_eps": 1e-4, "mlp": "swiglu"}
    other = {"d_hidden": 96, "bias": False, "tied_head": True, "dropout": 0.1, "attention": "formula"}
    assert config == mg.GPTConfig(**shape, **parts, **other)


def test_fields_that_may_be_left_out_have_llama_cpps_defaults(make, tmp_path):
    names = ("rope.freq_base", "vocab_size", "rope.dimension_count", "attention.layer_norm_rms_epsilon")
    path = make(fields={f"llama.{name}": None for name in names})
    assert (gguf_config(path).rope_base, gguf_config(path).norm_eps) == (10000.0, 1e-5)
    even = random_llama(num_key_value_heads=4)
    path = write(tmp_path / "even.gguf", even, fields={"llama.attention.head_count_kv": None})
    assert gguf_config(path).kv_heads == 4 and difference(gguf_model(path), even) < 1e-5


def test_the_model_is_ready_to_be_trained_and_has_memory_of_its_own(make, theirs):
    path = make()
    model = gguf_model(path)
    path.write_bytes(b"")  # nothing of the model is in the file any more
    assert difference(model, theirs) < 1e-5
    assert not model.training and model.head.weight is model.token_embedding.weight
    assert all(p.is_leaf and p.requires_grad and p.is_contiguous() for p in model.parameters())
    model(IDS).sum().backward()


def test_the_type_of_the_weights_is_chosen(make):
    assert {p.dtype for p in gguf_model(make(kind="F16"), dtype=torch.bfloat16).parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"llama.expert_count": 4}, r"it lacks the field llama\.expert_used_count"),
        (
            {"llama.expert_count": 4, "llama.expert_used_count": 2},
            r"it lacks the tensor blk\.0\.ffn_gate_exps\.weight",
        ),
        ({"llama.attention.sliding_window": 64}, r"llama\.attention\.sliding_window is 64, which"),
        ({"llama.rope.scaling.type": "yarn"}, r"rope\.scaling\.type is 'yarn' without rope\.scaling\.factor"),
        ({"llama.rope.scaling.type": "longrope"}, r"rope\.scaling\.type is 'longrope'; expected one of none, linear"),
        (
            {"llama.rope.scaling.attn_factor": 2.0},
            r"llama\.rope\.scaling\.attn_factor is 2\.0, which this GPT",
        ),
        ({"llama.rope.dimension_count": 8}, r"llama\.rope\.dimension_count is 8, where this GPT has 16"),
        ({"llama.attention.key_length": 8}, r"llama\.rope\.dimension_count is 16, where this GPT has 8"),
        ({"llama.vocab_size": 99}, r"llama\.vocab_size is 99, where this GPT has 263"),
        ({"llama.feed_forward_length": [96, 96]}, r"llama\.feed_forward_length has a value for each layer"),
        ({"llama.block_count": None}, r"it lacks the field llama\.block_count"),
        ({"llama.block_count": 10**6}, r"n_layers=1000000 must be a whole number from 1 to 4,096"),
        ({"llama.block_count": 4000}, r"it lacks the tensor blk\.10\.attn_k\.weight \(35982 missing in all\)"),
        ({"llama.block_count": "two"}, "n_layers must be"),
        ({"llama.block_count": 1}, r"its tensor blk\.1\.attn_k\.weight has no place in the model \(9 such in all\)"),
        ({"llama.attention.head_count": 2}, r"head_count_kv|rope\.dimension_count is 16, where this GPT has 32"),
        ({"llama.feed_forward_length": 64}, r"blk\.0\.ffn_gate\.weight has shape \(96, 64\).*should have \(64, 64\)"),
        ({"llama.attention.head_count_kv": 4}, r"attn_k\.weight has shape \(32, 64\); .* should have \(64, 64\)"),
        ({"llama.rope.freq_base": "x"}, "rope_base must be"),
    ],
)
def test_a_field_that_cannot_be_followed_is_refused_by_name(make, monkeypatch, changes, message):
    with pytest.raises(ValueError, match=rf"tiny\.gguf can't be used: .*{message}"):
        gguf_model(make(fields=changes))


def test_a_number_of_blocks_that_the_file_lacks_is_refused_before_they_are_built(make, monkeypatch):
    monkeypatch.setattr(module, "GPT", pytest.fail)
    with pytest.raises(ValueError, match="it lacks the tensor"):
        gguf_model(make(fields={"llama.block_count": 4096}))


@pytest.mark.parametrize("architecture", ["gptj", "gemma3"])
def test_another_architecture_is_refused_by_name(make, architecture):
    with pytest.raises(ValueError, match=f"its architecture is '{architecture}'; expected one of llama, qwen2"):
        gguf_model(make(architecture=architecture))


def with_nan(name):
    def change(arrays):
        array = arrays[name].copy()
        array.flat[3] = np.nan
        return {name: array}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {"blk.1.ffn_up.weight": None}, r"it lacks the tensor blk\.1\.ffn_up\.weight \(1 missing in all\)"),
        (lambda t: {"blk.0.attn_q.bias": np.zeros(64, np.float32)}, r"its tensor blk\.0\.attn_q\.bias has no place"),
        (
            lambda t: {"rope_freqs.weight": np.full(8, 3.0, np.float32)},
            r"rope_freqs\.weight scales rotary positions in another way",
        ),
        (lambda t: {"token_embd.weight": None}, r"it lacks the tensor token_embd\.weight"),
        (lambda t: {"blk.0.attn_v.weight": t["blk.0.attn_v.weight"][:31]}, r"attn_v\.weight has shape \(127, 64\)"),
        (lambda t: {"blk.0.attn_q.weight": t["blk.0.attn_q.weight"][:63]}, r"attn_q\.weight has shape \(63, 64\)"),
        (lambda t: {"output_norm.weight": np.ones(63, np.float32)}, r"output_norm\.weight has shape \(63,\)"),
        (with_nan("blk.1.ffn_down.weight"), r"the tensor blk\.1\.ffn_down\.weight holds NaN or infinity"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(make, theirs, change, message):
    with pytest.raises(ValueError, match=rf"tiny\.gguf can't be used: .*{message}"):
        gguf_model(make(tensors=change(tensors_of(theirs))))


def test_whole_numbers_are_no_weights(make):
    with pytest.raises(ValueError, match=r"output_norm\.weight has type I32, which can't be turned into float32"):
        write_with(make, "output_norm.weight", np.ones(64, np.int32))


def write_with(make, name, array):
    """Read a file in which one tensor has the type of an array."""
    original = gguf.GGUFWriter.add_tensor

    def add(self, given, data, raw_dtype=None):
        if given == name:
            return original(self, given, array)
        return original(self, given, data, raw_dtype=raw_dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gguf.GGUFWriter, "add_tensor", add)
        path = make()
    return gguf_model(path)
