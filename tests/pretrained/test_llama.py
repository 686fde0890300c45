"""The Llama family in and out, with transformers as the oracle; twin_campaign.py has all models."""

import json

import pytest
import safetensors.torch
import torch
from twin_campaign import in_and_out
from twin_configurations import LLAMA3, TWINS, YARN, make_twin, rope, some_ids

import minigpt as mg
from minigpt.model import backends
from minigpt.pretrained import format_of, pretrained_config, pretrained_model
from minigpt.pretrained.llama_fields import FAMILIES

SAMPLE = [
    "llama, all biases, tied",
    "llama, wide heads",
    "llama, linear",
    "llama, llama3",
    "llama, yarn, betas",
    "qwen2, layer types",
    "qwen3, window",
    "mistral, window",
    "mixtral, window",
    "mixtral, one expert",
]


@pytest.mark.parametrize("name", SAMPLE)
def test_the_logits_are_those_of_transformers_in_and_out(name, tmp_path):
    read, written = in_and_out(make_twin(name), tmp_path)
    assert max(read, written) <= 1e-5


def test_files_in_bfloat16_and_in_shards_are_read(tmp_path):
    read, written = in_and_out(make_twin("qwen3").to(torch.bfloat16), tmp_path, max_shard_size="10kB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 2
    assert max(read, written) <= 1e-5


def test_there_are_at_least_forty_twins_and_some_of_each_family():
    assert len(TWINS) >= 40
    assert {family for family, _ in TWINS.values()} == set(FAMILIES)


@pytest.fixture
def folder(tmp_path):
    """Write the model of a name, with changed fields."""

    def write(name="llama", **changes):
        make_twin(name).save_pretrained(tmp_path / "model")
        path = tmp_path / "model" / "config.json"
        fields = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({name: value for name, value in fields.items() if value != "absent"}))
        return tmp_path / "model"

    return write


def error_of(folder, name):
    with torch.no_grad():
        expected = make_twin(name)(some_ids()).logits
        return (pretrained_model(folder)(some_ids()) - expected).abs().max().item()


def test_the_older_spelling_of_the_rotary_fields_says_the_same(folder):
    theirs = {name: value for name, value in LLAMA3.items() if name != "rope_theta"}
    older = {"rope_theta": 500.0, "rope_scaling": theirs, "rope_parameters": "absent", "torch_dtype": "float32"}
    assert error_of(folder("llama, llama3", **older, dtype="absent"), "llama, llama3") <= 1e-5
    oldest = {"rope_scaling": {"type": "linear", "factor": 3.0}, "rope_parameters": "absent", "rope_theta": 10000.0}
    assert error_of(folder("llama, linear", **oldest), "llama, linear") <= 1e-5


def test_fields_that_are_left_out_are_those_of_transformers(folder):
    written = folder("mistral, no window", **dict.fromkeys(("sliding_window", "num_key_value_heads"), "absent"))
    with pytest.raises(ValueError, match="n_heads=6 must be a multiple of n_kv_heads=8"):
        pretrained_config(written)
    path = written / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_key_value_heads": 2}))
    assert pretrained_config(written).window == 4096


# What no test of logits could tell apart if every model were plain: each is broken once.
BROKEN = {
    "the order of the key heads": ("llama", "heads"),
    "the biases": ("llama, biases of attention", "biases"),
    "the biases of Qwen2": ("qwen2", "biases"),
    "the window": ("mistral, window", "window"),
    "a window one longer": ("mistral, window", "longer"),
    "the norms of queries and keys": ("qwen3", "qk_norm"),
    "the scaling": ("llama, llama3", "scaling"),
    "eps": ("llama", "eps"),
    "the experts": ("mixtral", "experts"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_each_part_that_is_ignored_changes_the_logits(what, folder, monkeypatch):
    name, part = BROKEN[what]
    written = folder(name)
    model = pretrained_model(written)
    with torch.no_grad():
        for layer in model.blocks:
            attention = layer.attention
            if part == "biases":
                attention.project_qkv.bias.zero_()
            if part in ("window", "longer"):
                attention.window = None if part == "window" else attention.window + 1
            if part == "qk_norm":
                attention.norm_q, attention.norm_k = torch.nn.Identity(), torch.nn.Identity()
            if part == "eps":
                layer.norm_1.eps = layer.norm_2.eps = 1e-6
            if part == "experts":
                layer.mlp.n_active = 1
        if part == "scaling":
            monkeypatch.setattr(model.position, "scaling", mg.GPTConfig(vocab_size=5).rope)
        if part == "heads":
            monkeypatch.setattr(backends, "share_heads", lambda x, n: x.repeat(1, n // x.shape[1], 1, 1))
        expected = make_twin(name)(some_ids()).logits
        assert (model(some_ids()) - expected).abs().max() > 1e-4


UNSUPPORTED = [
    ("llama", {"hidden_act": "gelu"}, "hidden_act is 'gelu'; this GPT gates with 'silu' alone"),
    ("llama", {"partial_rotary_factor": 0.5}, "partial_rotary_factor is 0.5, which this GPT does not know"),
    ("llama", {"attention_dropout": 0.1}, "attention_dropout is 0.1.*choose it with dropout="),
    ("llama", {"quantization_config": {"bits": 4}}, "quantized"),
    ("llama", {"query_pre_attn_scalar": 12}, "query_pre_attn_scalar is 12, which this GPT does not know"),
    ("llama", {"model_type": "gemma"}, "model_type is 'gemma', which this GPT does not do; 'gpt2', 'llama', 'qwen2'"),
    ("llama", {"model_type": ["llama"]}, r"model_type is \['llama'\]"),
    ("llama", {"rope_interleaved": True}, "rope_interleaved is True; only false"),
    ("llama", rope(rope_type="longrope"), "rope_type is 'longrope', which this GPT does not do; it does default"),
    ("llama", rope(rope_type="dynamic", factor=2.0), "rope_type is 'dynamic'"),
    ("llama", rope(rope_type=float("nan")), "rope_type is nan, which this GPT does not do"),
    ("llama", rope(type="linear"), "rope_type is 'default' and type is 'linear'; expected one of them"),
    ("llama", rope(rope_theta=None), "rope_theta is None in rope_parameters; expected a number"),
    ("llama", rope(rope_type="linear"), "rope_type 'linear' lacks factor"),
    ("llama", rope(rope_type="linear", factor="4"), "rope_factor must be float, got '4'"),
    ("llama", rope(rope_type="linear", factor=0.5), "rope_factor=0.5 must be a finite number of at least 1"),
    ("llama", rope(**YARN, truncate=False), "truncate is False in the settings of rope_type 'yarn'"),
    ("llama", rope(**YARN, mscale=2.0), "mscale is 2.0"),
    ("llama", rope(partial_rotary_factor=0.5), "partial_rotary_factor is 0.5"),
    ("llama", {"rope_parameters": 7}, "rope_parameters is 7; expected an object"),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "expected one of them"),
    ("llama", {"rope_parameters": {"full_attention": {"rope_theta": 1.0}}}, "full_attention is"),
    ("llama", {"hidden_size": "absent"}, "it lacks hidden_size"),
    ("llama", {"num_hidden_layers": 10**9}, "n_layers=1000000000 must be"),
    ("llama", {"attention_bias": "yes"}, "qkv_bias must be bool or None, got 'yes'"),
    ("llama", {"tie_word_embeddings": 1}, "tied_head must be bool, got 1"),
    ("llama", {"sliding_window": 4}, "sliding_window is 4, which this GPT does not know"),
    ("llama", {"attention_bias": True}, r"lacks the tensor model\.layers\.0\.self_attn\.q_proj\.bias"),
    ("llama", {"num_key_value_heads": 3}, r"k_proj\.weight has shape \(8, 24\)"),
    ("llama", {"num_hidden_layers": 2}, r"model\.layers\.2\.\S+ has no place in the model"),
    ("llama", {"tie_word_embeddings": True}, r"holds a lm_head\.weight that is not model\.embed_tokens\.weight"),
    ("qwen2", {"layer_types": ["full_attention"]}, "layer_types has 1 entries for 3 layers"),
    ("qwen2", {"layer_types": ["chunked_attention"] * 3}, "layer_types is .* expected a list of sliding_attention"),
    (
        "qwen2",
        {"layer_types": ["sliding_attention"] * 3},
        "and use_sliding_window is False, sliding_window None",
    ),
    ("qwen2", {"layer_types": "absent", "max_window_layers": "all"}, "max_window_layers is 'all'; expected a whole"),
    ("qwen2", {"use_sliding_window": 1}, "use_sliding_window is 1; expected true or false"),
    ("mistral, window", {"layer_types": ["full_attention"] * 3}, "layer_types is .*which this GPT does not know"),
    ("mixtral", {"router_jitter_noise": 0.1}, "router_jitter_noise is 0.1, which this GPT does not know"),
    ("mixtral", {"num_experts_per_tok": 9}, "n_active_experts=9 must be at most n_experts=4"),
]


@pytest.mark.parametrize(("name", "changes", "message"), UNSUPPORTED, ids=lambda value: str(value)[:40])
def test_what_is_not_done_is_refused_by_its_name_and_value(folder, name, changes, message):
    with pytest.raises(ValueError, match=message):
        pretrained_model(folder(name, **changes))


def test_a_choice_of_dropout_replaces_that_of_the_file(folder):
    assert pretrained_model(folder(attention_dropout=0.1), dropout=0.2).config.dropout == 0.2


def test_the_table_of_frequencies_of_older_files_is_no_weight(folder):
    written = folder()
    tensors = safetensors.torch.load_file(written / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(2)
    safetensors.torch.save_file(tensors, written / "model.safetensors")
    assert error_of(written, "llama") <= 1e-5


SHAPE = {"vocab_size": 11, "context_length": 8, "d_model": 12, "n_layers": 3, "n_heads": 2, "tied_head": False}
LLAMA = {"position": "rope-half", "norm": "rms", "mlp": "swiglu", "bias": False}
WRITTEN = [
    ({}, "gpt2"),
    (LLAMA, "llama"),
    ({**LLAMA, "bias": True}, "llama"),
    ({**LLAMA, "qkv_bias": True}, "qwen2"),
    ({**LLAMA, "qkv_bias": True, "window": 3, "window_layers": "wf"}, "qwen2"),
    ({**LLAMA, "qk_norm": True, "window": 3, "window_layers": "fw"}, "qwen3"),
    ({**LLAMA, "window": 3}, "mistral"),
    ({**LLAMA, "d_model": 14, "n_heads": 4, "d_head": 6}, "mistral"),  # transformers' Llama wants whole heads
    ({**LLAMA, "n_experts": 3}, "mixtral"),
]


@pytest.mark.parametrize(("parts", "kind"), WRITTEN, ids=str)
def test_a_model_of_ours_is_written_in_the_format_that_has_its_parts(parts, kind, tmp_path):
    from transformers import AutoModelForCausalLM

    config = mg.GPTConfig(**{**SHAPE, **parts})
    assert format_of(config) == kind
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        mg.save_pretrained(model, tmp_path)
        theirs = AutoModelForCausalLM.from_pretrained(tmp_path)
        assert theirs.config.model_type == kind
        ids = some_ids(2, 8) % 11
        torch.testing.assert_close(theirs(ids).logits, model(ids), rtol=0, atol=1e-5)
    again = pretrained_model(tmp_path)
    assert all(map(torch.equal, again.parameters(), model.parameters()))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({**LLAMA, "rope_scaling": "ntk", "rope_factor": 2.0}, "Llama's format has no place for rope_scaling='ntk'"),
        ({**LLAMA, "window": 3, "window_layers": "wf"}, "has no place for window=3, window_layers='wf'"),
        ({**LLAMA, "convolution": 2, "out_bias": True}, "no place for convolution=2, out_bias=True"),
        ({**LLAMA, "mlp": "relu2"}, "no place for mlp='relu2'"),
        ({"qk_norm": True}, "GPT-2's format has no place for qk_norm=True"),
        ({"d_head": 4}, "GPT-2's format has no place for d_head=4"),
        ({"n_experts": 2}, "GPT-2's format has no place for n_experts=2"),
        ({"mlp_bias": False}, "GPT-2's format has no place for mlp_bias=False"),
    ],
)
def test_a_part_that_no_format_has_is_named(parts, message):
    with pytest.raises(ValueError, match=message):
        format_of(mg.GPTConfig(**{**SHAPE, **parts}))
