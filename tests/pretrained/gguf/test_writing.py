"""GGUF files that are written here, read back here and by transformers."""

import errno
import logging
import os
import sys
from dataclasses import replace

import gguf
import pytest
import torch

import minigpt as mg
from minigpt.pretrained.gguf import architectures, gguf_config, gguf_model
from minigpt.pretrained.gguf import writing as module

WORDS = mg.BPETokenizer.train("the cat sees the dog, and the dog sees the cat. " * 9, 270)
IDS = torch.randint(0, WORDS.vocab_size, (2, 40), generator=torch.Generator().manual_seed(1))
LLAMA = mg.GPTConfig(
    vocab_size=WORDS.vocab_size,
    context_length=64,
    d_model=24,
    n_layers=3,
    n_heads=4,
    n_kv_heads=2,
    d_hidden=40,
    position="rope-half",
    rope_base=500.0,
    norm="rms",
    norm_eps=1e-4,
    mlp="swiglu",
    bias=False,
)
# transformers takes a GPT-2 of 1,024 positions from a file, and a Qwen3 whose heads are 128 wide, whatever it says.
GPT2 = mg.GPTConfig(vocab_size=WORDS.vocab_size, context_length=1024, d_model=24, n_layers=2, n_heads=4)
CONFIGS = {
    "llama": LLAMA,
    "llama, head of its own": replace(LLAMA, tied_head=False),
    "qwen2": replace(LLAMA, qkv_bias=True),
    "qwen3": replace(LLAMA, qk_norm=True, d_head=128, n_layers=1),
    "gpt2": GPT2,
}
# Of mixtures, transformers reads those of Qwen3 alone; their experts are 768 wide there, whatever a file says.
EXPERTS = {"n_experts": 5, "n_active_experts": 2}
MIXTURES = {
    "llama": replace(LLAMA, **EXPERTS),
    "qwen3moe": replace(LLAMA, **EXPERTS, qk_norm=True, tied_head=False, d_head=128, d_hidden=768, n_layers=2),
}


def drawn(config):
    """A model whose every number is random: fresh gains are 1 and fresh biases 0, which hides mistakes."""
    model, generator = mg.GPT(config).eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0, 0.12, generator=generator).add_(name.endswith("gain"))
    return model


def of_transformers(path, monkeypatch):
    """The model that transformers' own loader reads; it asks for accelerate and needs none of it."""
    from transformers import AutoModelForCausalLM, modeling_utils

    logging.getLogger("transformers").setLevel(logging.ERROR)
    with monkeypatch.context() as patch:
        patch.setattr(modeling_utils, "is_accelerate_available", lambda *_: True)
        return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()


def difference(ours, theirs):
    with torch.no_grad():
        return float((ours(IDS) - theirs(IDS).logits).abs().max())


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_comes_back_bit_by_bit_and_transformers_computes_its_logits(name, tmp_path, monkeypatch):
    model, path = drawn(CONFIGS[name]), tmp_path / "model.gguf"
    mg.save_pretrained(model, path, WORDS)
    ours, words = mg.load_pretrained(path)
    assert all(map(torch.equal, ours.parameters(), model.parameters()))
    with torch.no_grad():
        assert torch.equal(ours(IDS), model(IDS))
    assert words.encode("the dog é 12") == WORDS.encode("the dog é 12")
    assert difference(model, of_transformers(path, monkeypatch)) <= 1e-5


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_of_experts_comes_back_bit_by_bit(name, tmp_path):
    model, path = drawn(MIXTURES[name]), tmp_path / "model.gguf"
    mg.save_pretrained(model, path, WORDS)
    assert module.architecture_of(model.config).name == name
    ours = gguf_model(path)
    assert all(map(torch.equal, ours.parameters(), model.parameters()))
    with torch.no_grad():
        assert torch.equal(ours(IDS), model(IDS))
    assert ours.config == replace(model.config, d_head=model.config.head_width)


def test_transformers_computes_the_logits_of_a_mixture(tmp_path, monkeypatch):
    model, path = drawn(MIXTURES["qwen3moe"]), tmp_path / "model.gguf"
    mg.save_pretrained(model, path, WORDS)
    theirs = of_transformers(path, monkeypatch)
    for layer in theirs.model.layers:
        layer.mlp.gate.norm_topk_prob = True  # as the published models have it; a file does not say it
    assert difference(model, theirs) <= 1e-5


def test_the_tensors_of_experts_are_those_of_the_format(tmp_path):
    mg.save_pretrained(drawn(MIXTURES["llama"]), tmp_path / "x.gguf")
    reader = gguf.GGUFReader(tmp_path / "x.gguf")
    shapes = {t.name: tuple(map(int, reversed(t.shape))) for t in reader.tensors if t.name.startswith("blk.1.ffn")}
    assert shapes == {
        "blk.1.ffn_norm.weight": (24,),
        "blk.1.ffn_gate_inp.weight": (5, 24),
        "blk.1.ffn_gate_exps.weight": (5, 40, 24),
        "blk.1.ffn_up_exps.weight": (5, 40, 24),
        "blk.1.ffn_down_exps.weight": (5, 24, 40),
    }
    fields = {name: field.contents() for name, field in reader.fields.items()}
    assert (fields["llama.expert_count"], fields["llama.expert_used_count"]) == (5, 2)


def test_a_number_of_experts_that_the_tensors_do_not_have_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    fields = module._fields
    monkeypatch.setattr(module, "_fields", lambda *given: {**fields(*given), "llama.expert_count": 2**31})
    mg.save_pretrained(drawn(MIXTURES["llama"]), tmp_path / "x.gguf")
    with pytest.raises(ValueError, match=r"expert_count is 2147483648, and blk\.0\.ffn_gate_exps\.weight has 5"):
        gguf_model(tmp_path / "x.gguf")


def test_rows_that_are_not_put_in_the_order_of_the_format_are_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "neighbouring_rows", lambda weight, n_heads: weight)
    model = drawn(LLAMA)
    mg.save_pretrained(model, tmp_path / "bug.gguf", WORDS)
    assert difference(model, of_transformers(tmp_path / "bug.gguf", monkeypatch)) > 0.05


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_type_of_the_weights_is_kept_and_norms_are_float32(dtype, tmp_path):
    model, path = drawn(LLAMA).to(dtype), tmp_path / "half.gguf"
    mg.save_pretrained(model, path, WORDS)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(path).tensors}
    assert kinds["blk.2.attn_q.weight"] == {torch.bfloat16: "BF16", torch.float16: "F16"}[dtype]
    assert kinds["blk.0.attn_norm.weight"] == "F32"
    assert all(map(torch.equal, gguf_model(path, dtype=dtype).parameters(), model.parameters()))


def test_the_fields_are_those_of_the_format(tmp_path):
    mg.save_pretrained(drawn(LLAMA), tmp_path / "my-model.gguf", WORDS, card="# what it is")
    fields = {n: f.contents() for n, f in gguf.GGUFReader(tmp_path / "my-model.gguf").fields.items()}
    assert (fields["general.architecture"], fields["general.name"]) == ("llama", "my-model")
    assert (fields["general.description"], fields["general.file_type"]) == ("# what it is", 0)
    widths = ("rope.dimension_count", "attention.key_length", "attention.value_length")
    assert {fields[f"llama.{name}"] for name in widths} == {6}
    assert fields["llama.attention.head_count_kv"] == 2 and fields["llama.feed_forward_length"] == 40
    assert gguf_config(tmp_path / "my-model.gguf").rope_base == 500.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 8}, r"GGUF's architecture 'llama' has no place for window=8, and qwen2, qwen3, qwen3moe, gpt2"),
        ({"n_experts": 3, "mlp": "gelu"}, r"'llama' has no place for mlp='gelu'"),
        ({"convolution": 4}, "convolution=4"),
        ({"rope_scaling": "ntk", "rope_factor": 2.0}, "rope_scaling='ntk'"),
        ({"rope_scaling": "yarn", "rope_factor": 2.0, "rope_attention_factor": 1.5}, r"rope_attention_factor=1\.5"),
        ({"rope_scaling": "llama3", "rope_factor": 2.0, "rope_low_turns": 2.0}, r"rope_low_turns=2\.0"),
        ({"rope_scaling": "llama3", "rope_factor": 2.0, "rope_original_context": 10**6}, r"rope_factor=2\.0 where no"),
        ({"rope_scaling": "llama3", "rope_factor": 2.0, "qk_norm": True}, "no place for (rope_scaling|qk_norm)"),
        ({"mlp_bias": True}, "mlp_bias=True"),
        ({"norm_placement": "post"}, "norm_placement='post'"),
    ],
)
def test_a_part_that_no_architecture_has_is_named_and_nothing_is_written(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        mg.save_pretrained(mg.GPT(replace(LLAMA, **change)), tmp_path / "x.gguf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"window": 8}, "write a folder, whose name does not end in .gguf"),
        ({"convolution": 4}, "no format can hold it: train one with --recipe gpt2"),
    ],
)
def test_what_is_advised_instead_can_be_done(change, advice, tmp_path):
    model = mg.GPT(replace(LLAMA, **change))
    with pytest.raises(ValueError, match=advice):
        mg.save_pretrained(model, tmp_path / "x.gguf")
    if "folder" in advice:
        mg.save_pretrained(model, tmp_path / "folder")
    else:
        with pytest.raises(ValueError, match=advice):
            mg.save_pretrained(model, tmp_path / "folder")
        mg.save_pretrained(mg.GPT(GPT2), tmp_path / "x.gguf")


@pytest.mark.parametrize(
    "change", [{"mlp": "gelu"}, {"bias": False}, {"n_kv_heads": 2}, {"d_head": 8}, {"position": "sinusoidal"}]
)
def test_a_gpt2_with_another_part_is_refused_by_its_name(change, tmp_path):
    with pytest.raises(ValueError, match=f"'gpt2' has no place for .*{next(iter(change))}"):
        mg.save_pretrained(mg.GPT(replace(GPT2, **change)), tmp_path / "x.gguf")


def test_weights_of_another_type_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the weights are torch\.float64; a GGUF file holds float32"):
        mg.save_pretrained(mg.GPT(LLAMA).double(), tmp_path / "x.gguf")


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "x.gguf"
    mg.save_pretrained(drawn(LLAMA), path, WORDS)
    before = path.read_bytes()
    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", lambda self: self.fout[0].write(b"half") / 0)
    with pytest.raises(ZeroDivisionError):
        mg.save_pretrained(drawn(GPT2), path, WORDS)
    assert path.read_bytes() == before and [each.name for each in tmp_path.iterdir()] == ["x.gguf"]


def test_a_folder_of_such_a_name_is_a_folder(tmp_path):
    (tmp_path / "x.gguf").mkdir()
    mg.save_pretrained(drawn(LLAMA), tmp_path / "x.gguf", WORDS)
    assert (tmp_path / "x.gguf" / "config.json").is_file()


def test_a_folder_in_the_place_of_the_file_is_refused_and_stays(tmp_path):
    (tmp_path / "x.gguf").mkdir()
    (tmp_path / "x.gguf" / "mine.txt").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"x\.gguf is a folder, expected a plain file"):
        module.save_gguf(drawn(LLAMA), tmp_path / "x.gguf", WORDS)
    assert [path.name for path in tmp_path.rglob("*")] == ["x.gguf", "mine.txt"]


def test_a_disk_that_fills_up_is_one_message_and_leaves_the_earlier_file(tmp_path, monkeypatch):
    def no_room(self):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "x.gguf").write_bytes(b"earlier")
    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", no_room)
    with pytest.raises(OSError, match=r"the disk is full: .*x\.gguf was not written; free some space"):
        mg.save_pretrained(drawn(LLAMA), tmp_path / "x.gguf", WORDS)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"earlier"]


def test_a_text_that_is_none_is_named_by_its_field(tmp_path):
    with pytest.raises(ValueError, match=r"card has '\\udcff' at place 1"):
        module.save_gguf(drawn(LLAMA), tmp_path / "x.gguf", WORDS, card="x\udcff")
    assert not list(tmp_path.iterdir())


def test_every_architecture_is_written_by_some_model_of_these_tests():
    configs = [*CONFIGS.values(), *MIXTURES.values()]
    assert {module.architecture_of(config).name for config in configs} == set(architectures.ARCHITECTURES)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_a_file_whose_name_is_no_text_is_written(tmp_path):
    path = tmp_path / os.fsdecode(b"b\xff.gguf")
    mg.save_pretrained(drawn(LLAMA), path)
    assert gguf.GGUFReader(path).fields["general.name"].contents() == "b?"


def test_a_file_that_takes_no_more_bytes_is_told_with_the_reason_and_the_old_one_stays(tmp_path):
    resource = pytest.importorskip("resource", reason="Windows limits no file")
    path, limits = tmp_path / "model.gguf", resource.getrlimit(resource.RLIMIT_FSIZE)
    path.write_bytes(b"old")
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**13, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            mg.save_pretrained(drawn(LLAMA), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_while_a_file_is_written_is_told_as_that(tmp_path, monkeypatch):
    def full(path, mode):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def short(writer):
        monkeypatch.setattr(type(tmp_path), "open", full)
        raise OSError("19200 requested and 1056 written")

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensors_to_file", short)
    with pytest.raises(OSError, match=r"the disk is full: .*model\.gguf was not written; free some space"):
        mg.save_pretrained(drawn(LLAMA), tmp_path / "model.gguf")
    assert list(tmp_path.iterdir()) == []
