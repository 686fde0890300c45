"""Weights in and out, with transformers as the oracle."""

import json
import math
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch

import minigpt as mg
from minigpt.pretrained import pretrained_config, pretrained_model


def ids(n_rows=3, n_tokens=40, vocab_size=97):
    return torch.randint(0, vocab_size, (n_rows, n_tokens), generator=torch.Generator().manual_seed(1))


def equal(ours, theirs):
    """Whether the logits of the two are the same to 1e-5."""
    with torch.no_grad():
        torch.testing.assert_close(ours(ids()), theirs(ids()).logits, rtol=0, atol=1e-5)


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder, change):
    """Write the file of weights anew, as ``change`` makes it of a dict of tensors."""
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    change(tensors)
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file)


@pytest.mark.parametrize("seed", range(4))
def test_the_logits_are_those_of_transformers(make_gpt2, tmp_path, seed):
    theirs = make_gpt2(seed)
    theirs.save_pretrained(tmp_path)
    equal(pretrained_model(tmp_path), theirs)


@pytest.mark.parametrize("seed", range(2))
def test_a_hundred_greedy_tokens_are_those_of_transformers(make_gpt2, tmp_path, seed):
    theirs = make_gpt2(seed)
    theirs.save_pretrained(tmp_path)
    prompt = ids(2, 5)
    expected = theirs.generate(prompt, do_sample=False, max_new_tokens=100, pad_token_id=0)
    model, generator = pretrained_model(tmp_path), torch.Generator()
    ours = mg.generate_ids(model, prompt, max_new_tokens=100, sampler=mg.Sampler(temperature=0), generator=generator)
    assert ours.tolist() == expected.tolist()
    assert len(set(ours[0].tolist())) > 10  # no loop over a token or two


@pytest.mark.parametrize(
    "changes",
    [
        {"tie_word_embeddings": False},
        {"n_inner": 50},
        {"activation_function": "gelu"},
        {"activation_function": "relu2"},
        {"activation_function": "gelu_pytorch_tanh"},
        {"activation_function": "relu"},
        {"scale_attn_by_inverse_layer_idx": True},
        {"layer_norm_epsilon": 0.1},
        {"n_head": 1},
    ],
    ids=str,
)
def test_each_setting_that_is_read_acts_as_in_transformers(make_gpt2, tmp_path, changes):
    theirs = make_gpt2(**changes)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = pretrained_model(tmp_path / "theirs")
    equal(ours, theirs)
    mg.save_pretrained(ours, tmp_path / "ours")
    equal(pretrained_model(tmp_path / "ours"), theirs)


@pytest.mark.parametrize("tied_head", [True, False])
def test_a_model_of_ours_is_read_back_by_transformers(tmp_path, tied_head):
    from transformers import GPT2LMHeadModel

    shape = {"vocab_size": 97, "context_length": 48, "d_model": 24, "n_layers": 2, "n_heads": 3, "d_hidden": 40}
    model = mg.GPT(mg.GPTConfig(**shape, mlp="gelu", norm_eps=1e-4, tied_head=tied_head)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    mg.save_pretrained(model, tmp_path)
    theirs, report = GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())
    equal(model, theirs)
    assert pretrained_model(tmp_path).config == model.config


def test_the_model_is_ready_to_be_trained_further(folder):
    model = pretrained_model(folder, dropout=0.0)
    assert not model.training
    assert all(p.is_leaf and p.requires_grad and p.is_contiguous() for p in model.parameters())
    assert model.head.weight is model.token_embedding.weight
    data = mg.TokenDataset(torch.arange(97).repeat(3), 16, vocab_size=97)
    history = mg.train(
        model, data, mg.TrainConfig(steps=20, batch_size=4, learning_rate=0.01, device="cpu"), progress=False
    )
    assert history.rows[-1]["loss"] < history.rows[0]["loss"] - 0.3


def test_loading_leaves_the_global_generator_alone(folder):
    before = torch.get_rng_state()
    pretrained_model(folder)
    assert torch.equal(before, torch.get_rng_state())


def test_shards_with_an_index_are_read(make_gpt2, tmp_path):
    theirs = make_gpt2()
    theirs.save_pretrained(tmp_path, max_shard_size="40kB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    equal(pretrained_model(tmp_path), theirs)


def test_names_without_prefix_and_causal_masks_are_read(make_gpt2, tmp_path):
    theirs = make_gpt2()
    theirs.save_pretrained(tmp_path)

    def as_openai_named_them(tensors):
        for name in list(tensors):
            tensors[name.removeprefix("transformer.")] = tensors.pop(name)
        for layer in range(3):
            tensors[f"h.{layer}.attn.bias"] = torch.ones(128, 128).tril()[None, None]
            tensors[f"h.{layer}.attn.masked_bias"] = torch.tensor(-1e4)

    change_weights(tmp_path, as_openai_named_them)
    equal(pretrained_model(tmp_path), theirs)


def test_a_head_beside_the_embedding_that_it_equals_is_read(make_gpt2, tmp_path):
    theirs = make_gpt2()
    theirs.save_pretrained(tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.update({"lm_head.weight": theirs.lm_head.weight.detach().clone()}))
    equal(pretrained_model(tmp_path), theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_the_file_becomes_float32_or_what_is_asked_for(make_gpt2, tmp_path, dtype):
    theirs = make_gpt2().to(dtype)
    theirs.save_pretrained(tmp_path)
    ours = pretrained_model(tmp_path)
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    equal(ours, theirs.float())
    half = pretrained_model(tmp_path, dtype=dtype)
    assert {p.dtype for p in half.parameters()} == {dtype}
    mg.save_pretrained(half, tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == str(dtype).removeprefix("torch.")
    equal(pretrained_model(tmp_path), theirs.float())


WTE, BIAS = "transformer.wte.weight", "transformer.h.1.mlp.c_fc.bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(BIAS), rf"lacks the tensor {BIAS} \(1 missing in all\)"),
        (lambda t: t.update(score=torch.zeros(2)), r"the tensor score has no place in the model$"),
        (
            lambda t: t.update({"transformer.h.3.ln_1.bias": torch.zeros(32)}),
            r"tensor transformer\.h\.3\.ln_1\.bias has",
        ),
        (lambda t: t.update({"wte.weight": t[WTE].clone()}), r"wte\.weight has no place.*wte\.weight is the same"),
        (lambda t: t.update({BIAS: torch.zeros(127)}), rf"tensor {BIAS} has shape \(127,\) .* have shape \(128,\)"),
        (
            lambda t: t.update({"transformer.h.0.attn.c_attn.weight": torch.zeros(96, 32)}),
            r"c_attn\.weight has shape \(96, 32\) .* have shape \(32, 96\)",
        ),
        (lambda t: t.update({BIAS: torch.zeros(128, dtype=torch.int8)}), r"type I8; .* floating point"),
        (lambda t: t[BIAS].fill_(math.nan), rf"the tensor {BIAS} holds NaN or infinity as torch\.float32"),
        (lambda t: t[WTE].index_fill_(0, torch.tensor(5), math.inf), rf"the tensor {WTE} holds NaN or infinity"),
        (lambda t: t.update({"lm_head.weight": t[WTE] + 1}), r"a lm_head\.weight that is not wte\.weight"),
    ],
    ids=["missing", "left over", "a block too many", "twice", "short", "turned", "whole numbers", "NaN", "inf", "head"],
)
def test_a_tensor_that_does_not_fit_is_named(folder, change, message):
    change_weights(folder, change)
    with pytest.raises(ValueError, match=message):
        pretrained_model(folder)


def test_a_head_of_its_own_must_be_there(folder):
    change_config(folder, tie_word_embeddings=False)
    with pytest.raises(ValueError, match=r"lacks the tensor lm_head\.weight"):
        pretrained_model(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model_type": "gemma"},
            "model_type is 'gemma', which this GPT does not do; 'gpt2', 'llama', .* can be",
        ),
        ({"scale_attn_by_inverse_layer_idx": 2}, "scale_attn_by_inverse_layer_idx is 2; expected true or false"),
        ({"quantization_config": {"bits": 4}}, r"its weights are quantized \(quantization_config\), which is not read"),
        ({"scale_attn_weights": False}, "scale_attn_weights is False"),
        ({"add_cross_attention": True}, "add_cross_attention is True"),
        ({"activation_function": "silu"}, "activation_function is 'silu'; expected one of gelu_new"),
        ({"activation_function": []}, r"activation_function is \[\]; expected one of gelu_new"),
        ({"activation_function": {}}, r"activation_function is \{\}; expected one of gelu_new"),
        ({"attn_pdrop": []}, r"its rates of dropout differ .* choose it with dropout="),
        ({"n_layer": 10**6}, "n_layers=1000000 must be a whole number from 1 to 4,096"),
        ({"n_embd": 10**12}, "d_model=1000000000000 must be a whole number from 1 to 1,048,576"),
        ({"vocab_size": 2**63}, "vocab_size=9223372036854775808 must be a whole number from 1 to"),
        ({"n_positions": 10**12}, "context_length=1000000000000 must be a whole number from 1 to"),
        ({"n_embd": 2**20, "n_head": 64, "n_layer": 96}, r".* has 1\.3e\+15 parameters, .* TB in float32"),
        ({"attn_pdrop": 0.2}, r"its rates of dropout differ .* choose it with dropout="),
        ({"n_head": 5}, "d_model=32 must be divisible by n_heads=5"),
        ({"n_layer": "three"}, "n_layers must be .*int.*, got 'three'"),
        ({"layer_norm_epsilon": None}, "norm_eps must be"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused_by_name(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(ValueError, match=rf"config\.json can't be used: {message}"):
        pretrained_model(folder)


def test_a_number_of_blocks_that_the_file_lacks_is_refused_before_they_are_built(folder, monkeypatch):
    change_config(folder, n_layer=4096)
    monkeypatch.setattr("minigpt.pretrained.folder.GPT", pytest.fail)
    with pytest.raises(ValueError, match=r"lacks the tensor transformer\.h\.3\.ln_1\.weight \(49116 missing in all\)"):
        pretrained_model(folder)


def test_a_tensor_of_another_shape_is_refused_before_it_is_read(folder, monkeypatch):
    change_config(folder, n_embd=64)
    monkeypatch.setattr("minigpt.pretrained.weights.StoredTensor.read", pytest.fail)
    with pytest.raises(ValueError, match=r"wte\.weight has shape \(97, 32\) .* should have shape \(97, 64\)"):
        pretrained_model(folder)


def test_weights_that_overflow_in_the_type_asked_for_are_refused(folder):
    change_weights(folder, lambda tensors: tensors[BIAS].fill_(1e6))
    assert pretrained_model(folder).blocks[1].mlp.expand.bias.eq(1e6).all()
    with pytest.raises(ValueError, match=rf"{BIAS} holds NaN or infinity as torch\.float16"):
        pretrained_model(folder, dtype=torch.float16)


JSON_VALUES = [0, -1, 7, 10**30, 10**400, 1.5, math.nan, math.inf, "x", "", True, None, [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("value", JSON_VALUES, ids=range(len(JSON_VALUES)))
def test_every_field_with_any_other_value_is_refused_or_meant(folder, value):
    whole = json.loads((folder / "config.json").read_text())
    for name in [*whole, "n_inner", "quantization_config", "pruned_heads", "scale_attn_by_inverse_layer_idx"]:
        (folder / "config.json").write_text(json.dumps({**whole, name: value}))
        with suppress(ValueError):
            assert isinstance(pretrained_config(folder), mg.GPTConfig)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "model.safetensors.index.json", "a.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_at_once(folder, name, kind):
    (folder / "model.safetensors").rename(folder / "b.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {BIAS: "a.safetensors"}}))
    (folder / name).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    errors = []

    def load():
        try:
            pretrained_model(folder)
        except ValueError as error:
            errors.append(str(error))

    loader = threading.Thread(target=load, daemon=True)
    loader.start()
    loader.join(20)
    assert len(errors) == 1 and str(folder) in errors[0]


def test_a_configuration_without_its_sizes_is_refused(folder):
    (folder / "config.json").write_text('{"model_type": "gpt2", "n_embd": 32}')
    with pytest.raises(ValueError, match=r"it lacks vocab_size, n_positions, n_layer, n_head"):
        pretrained_model(folder)


def test_dropout_comes_from_the_file_or_from_the_caller(folder):
    assert pretrained_model(folder).config.dropout == 0.1
    change_config(folder, attn_pdrop=0.2)
    assert pretrained_model(folder, dropout=0.3).config.dropout == 0.3


def test_a_pickle_is_refused_with_the_way_to_convert_it(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin is a pickle.*save_pretrained\('.*gpt2-safetensors'\)"):
        pretrained_model(folder)


def test_the_way_to_convert_a_pickle_works(make_gpt2, folder):
    """The command in the message, run here."""
    torch.save(make_gpt2().state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="is a pickle") as caught:
        pretrained_model(folder)
    exec(str(caught.value).partition('python -c "')[2].partition('"')[0])
    equal(pretrained_model(f"{folder}-safetensors"), make_gpt2())


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "config.json").unlink(), r"config\.json is missing"),
        (lambda f: (f / "config.json").write_text("{"), r"config\.json is not JSON"),
        (lambda f: (f / "config.json").write_text("[" * 10**5), r"config\.json is not JSON"),
        (lambda f: (f / "config.json").write_text("[]"), r"config\.json should hold a JSON object, found list"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04."), r"model\.safetensors can't be read as safeten"),
        (
            lambda f: (f / "model.safetensors").unlink(),
            r"has no model\.safetensors and no .*index\.json; give a folder",
        ),
    ],
)
def test_a_folder_with_a_broken_file_is_refused(folder, break_it, message):
    break_it(folder)
    with pytest.raises(ValueError, match=message):
        pretrained_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda index: index.update({"score": "model-1.safetensors"}),
            "says that model-1.* holds score, which it does",
        ),
        (lambda index: index.pop(BIAS), rf"does not say that model-2\.safetensors holds {BIAS}"),
        (lambda index: index.update({BIAS: "model-3.safetensors"}), r"model-3\.safetensors is missing"),
        (lambda index: index.update({BIAS: "../model-1.safetensors"}), "a file of the same folder is expected"),
        (lambda index: index.update({BIAS: 3}), "has no weight_map from tensors to files"),
    ],
)
def test_an_index_that_is_wrong_is_refused(folder, change, message):
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    index = {name: f"model-{1 + ('mlp' in name)}.safetensors" for name in tensors}
    for file in set(index.values()):
        safetensors.torch.save_file({name: tensors[name] for name in index if index[name] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    change(index)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    with pytest.raises(ValueError, match=message):
        pretrained_model(folder)


def test_a_name_that_is_no_folder_says_how_to_get_one():
    with pytest.raises(ValueError, match=r"openai/gpt2 is not a folder.*`hf download openai/gpt2 --local-dir gpt2`"):
        pretrained_model("openai/gpt2")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": "rope-half"}, "position='rope-half'"),
        ({"norm": "rms", "bias": False}, "norm='rms', bias=False"),
        ({"n_kv_heads": 1}, "n_kv_heads=1"),
        ({"mlp": "swiglu"}, "mlp='swiglu'"),
        ({"window": 4}, "window=4"),
    ],
)
def test_a_model_that_is_no_gpt2_is_not_written(tmp_path, changes, message):
    model = mg.GPT(mg.GPTConfig(vocab_size=11, d_model=8, n_heads=2, n_layers=1, **changes))
    with pytest.raises(ValueError, match=rf"GPT-2's format has no place for {message}; it takes the parts of recipe"):
        mg.save_pretrained(model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("vocab_size", "end"), [(31, None), (50256, None), (50257, 50256)])
def test_a_model_without_tokenizer_has_no_end_of_text_beyond_its_vocabulary(tmp_path, vocab_size, end):
    from transformers import GPT2Config

    shape = {"context_length": 4, "n_layers": 1, "n_heads": 1, "d_model": 2}
    mg.save_pretrained(mg.GPT(mg.GPTConfig(vocab_size=vocab_size, **shape)), tmp_path)
    theirs = GPT2Config.from_pretrained(tmp_path)
    assert (theirs.bos_token_id, theirs.eos_token_id) == (end, end)


def test_model_and_tokenizer_go_out_and_come_back_by_transformers(tmp_path):
    from transformers import AutoTokenizer, GPT2LMHeadModel

    text = Path(__file__).read_text(encoding="utf-8")
    tokenizer = mg.BPETokenizer.train(text, 400)
    model = mg.GPT(mg.GPTConfig.preset("nano", vocab_size=tokenizer.vocab_size)).eval()
    mg.save_pretrained(model, tmp_path, tokenizer)
    theirs, their_tokenizer = GPT2LMHeadModel.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert their_tokenizer(text[:200]).input_ids == tokenizer.encode(text[:200])
    assert their_tokenizer.eos_token_id == theirs.config.eos_token_id == tokenizer.special_tokens["<|endoftext|>"]
    assert their_tokenizer.model_max_length == model.config.context_length
    assert mg.load_tokenizer(tmp_path).encode(text) == tokenizer.encode(text)


def test_a_tokenizer_that_has_no_place_there_is_refused_before_anything_is_written(tmp_path):
    model = mg.GPT(mg.GPTConfig.preset("nano", vocab_size=300))
    with pytest.raises(ValueError, match="a bpe tokenizer can't be written in Hugging Face's format"):
        mg.save_pretrained(model, tmp_path / "out", mg.BPETokenizer.train("abab", 258, pattern=r"[\s\S]"))
    assert not (tmp_path / "out").exists()


def test_a_folder_gives_the_model_and_its_tokenizer_as_a_run_does(tmp_path):
    tokenizer = mg.BPETokenizer.train("the cat and the dog and the cat", 262)
    shape = mg.GPTConfig(vocab_size=tokenizer.vocab_size, context_length=8, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(shape), tmp_path / "theirs", tokenizer)
    data = mg.TokenDataset.from_text("the cat and the dog. " * 9, tokenizer, 8)
    mg.train(
        mg.GPT(shape), data, mg.TrainConfig(steps=1, batch_size=2), tokenizer=tokenizer, out=tmp_path, progress=False
    )
    for model, same in (mg.load_pretrained(tmp_path / "theirs"), mg.load_model(tmp_path)):
        assert type(model) is mg.GPT and model.config == shape and not model.training
        assert same.encode("the cat") == tokenizer.encode("the cat")


def test_a_folder_without_tokenizer_names_the_function_that_reads_the_model_alone(folder, monkeypatch):
    monkeypatch.setattr("minigpt.pretrained.folder.GPT", pytest.fail)
    with pytest.raises(
        ValueError, match=r"gpt2 is not a usable tokenizer: .*; minigpt\.pretrained\.pretrained_model\("
    ):
        mg.load_pretrained(folder)
    with pytest.raises(ValueError, match=r"nowhere is not a folder"):
        mg.load_pretrained("nowhere")


def test_every_layer_computes_what_that_of_transformers_does(make_gpt2, tmp_path):
    other = make_gpt2(attn_implementation="eager")
    other.save_pretrained(tmp_path)
    ids = torch.randint(97, (2, 11), generator=torch.Generator().manual_seed(3))
    record = mg.look(pretrained_model(tmp_path), ids)
    with torch.no_grad():
        theirs = other(ids, output_hidden_states=True, output_attentions=True)
    stream = [*record.residual[:-1], record["ln_final.hook_normalized"]]  # the last of theirs is normalised
    for own, their in zip([*stream, *record.attention], [*theirs.hidden_states, *theirs.attentions], strict=True):
        torch.testing.assert_close(own, their, rtol=1e-5, atol=1e-5)
