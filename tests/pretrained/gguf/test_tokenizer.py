"""The tokenizer of a GGUF file."""

import pytest
from tiny_gguf import CHATML, CONTROL, tokenizer_fields

from minigpt.pretrained.gguf import gguf_tokenizer, load_gguf
from minigpt.pretrained.gguf.tokenizer import tokenizer_in
from minigpt.text.tokenizers.patterns import SPLITS


def test_tokens_merges_and_control_tokens_are_those_of_the_file(make):
    ours = gguf_tokenizer(make())
    tokens = tokenizer_fields()["tokenizer.ggml.tokens"]
    assert ours.encode(" the 12") == [tokens.index(t) for t in ("Ġthe", "Ġ", "1", "2")]  # each digit by itself
    assert ours.encode("he<|im_end|>", allow_special=True) == [tokens.index("he"), 2]
    assert ours.special_tokens == {token: i for i, token in enumerate(CONTROL)}
    assert ours.decode(ours.encode("hé 我们 12\n")) == "hé 我们 12\n"


@pytest.mark.parametrize(("name", "split"), [("gpt-2", "gpt2"), ("llama-bpe", "llama3"), ("qwen2", "qwen2")])
def test_the_name_of_the_cut_chooses_the_split_pattern(make, name, split):
    ours = gguf_tokenizer(make(fields={"tokenizer.ggml.pre": name}))
    assert ours.pattern == SPLITS[split] and ours.composed is (name == "qwen2")


def test_the_chat_format_is_that_of_the_file(make):
    _, ours = load_gguf(make())
    assert (ours.chat.template, ours.chat.end) == (CHATML, ("<|im_end|>",))
    assert (ours.chat.bos_token, ours.chat.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert gguf_tokenizer(make(fields={"tokenizer.chat_template": None})).chat is None


@pytest.mark.parametrize(
    ("fields", "bos"),
    [
        ({}, ""),
        ({"add_bos_token": True}, "<|im_start|>"),
        ({"add_bos_token": False, "pre": "llama-bpe"}, ""),
        ({"pre": "llama-bpe"}, "<|im_start|>"),  # as llama.cpp takes such a file that says nothing
        ({"add_bos_token": True, "bos_token_id": 99_999}, ""),
    ],
)
def test_the_token_before_every_text_is_that_of_the_file(make, fields, bos):
    assert gguf_tokenizer(make(fields={f"tokenizer.ggml.{name}": value for name, value in fields.items()})).bos == bos


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "t5"}, "its tokenizer is of the kind 't5'; only byte-level BPE, 'gpt2', and SentencePiece's"),
        ({"pre": "deepseek-llm"}, r"tokenizer\.ggml\.pre is 'deepseek-llm'; expected one of gpt-2, smollm"),
        ({"pre": None}, r"tokenizer\.ggml\.pre is None"),
        ({"tokens": None}, r"tokenizer\.ggml\.tokens is None; expected a list of texts"),
        ({"tokens": [1, 2]}, r"tokenizer\.ggml\.tokens is .*; expected a list of texts"),
        ({"tokens": ["a", "a"]}, "one token twice"),
        ({"token_type": [1, 2]}, "should have one of .* for each of the 263 tokens"),
        ({"token_type": [9] * 263}, "should have one of"),
        ({"merges": ["h e", "q q"]}, "a merge names the token 'qq', which has no id"),
    ],
)
def test_what_can_not_be_used_is_named(make, changes, message):
    path = make(fields={f"tokenizer.ggml.{name}": value for name, value in changes.items()})
    with pytest.raises(ValueError, match=rf"tiny\.gguf can't be used: .*{message}"):
        gguf_tokenizer(path)


def test_a_tokenizer_larger_than_its_model_is_refused(make, theirs):
    fields = tokenizer_fields()
    more = {
        "tokenizer.ggml.tokens": [*fields["tokenizer.ggml.tokens"], "<new>"],
        "tokenizer.ggml.token_type": [*fields["tokenizer.ggml.token_type"], 3],
    }
    with pytest.raises(ValueError, match="its tokenizer has 264 tokens and its model 263"):
        load_gguf(make(fields=more))


def test_ids_outside_the_tokens_are_no_tokens():
    import numpy as np

    fields = tokenizer_fields() | {"tokenizer.ggml.eos_token_id": 10**6, "tokenizer.ggml.bos_token_id": -1}
    fields["tokenizer.ggml.token_type"] = np.array(fields["tokenizer.ggml.token_type"])
    ours = tokenizer_in(fields)
    assert ours.chat.end == () and ours.chat.bos_token == ""
