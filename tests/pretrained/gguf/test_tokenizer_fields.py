"""Tokenizers written as the fields of GGUF files; what the format can't hold is refused."""

import pytest
from tiny_gguf import CHATML

import minigpt as mg
from minigpt.pretrained.gguf import gguf_tokenizer, load_gguf
from minigpt.pretrained.gguf.tokenizer_fields import tokenizer_fields
from minigpt.text import ChatFormat
from minigpt.text.tokenizers.imported import ImportedTokenizer
from minigpt.text.tokenizers.patterns import SPLITS

TEXT = "the cat's 1999 dogs – naïve 我们 \U0001f642\r\n\t x<|im_end|> "
TRAINED = mg.BPETokenizer.train(TEXT * 30, 300)
SPECIAL = {"<|im_start|>": 0, "<|im_end|>": 1, "<|endoftext|>": 2}


def imported(**changes):
    """The same tokens after three special ones."""
    ranks = {token: token_id + 3 for token, token_id in TRAINED.ranks.items()}
    return ImportedTokenizer(ranks, SPECIAL, **changes)


def written(tokenizer, tmp_path, more=0):
    """What is read from a file with this tokenizer; the model has some more tokens."""
    config = mg.GPTConfig(vocab_size=tokenizer.vocab_size + more, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(config), tmp_path / "x.gguf", tokenizer)
    return tmp_path / "x.gguf"


@pytest.mark.parametrize("split", [*SPLITS])
def test_a_tokenizer_comes_back_whole(split, tmp_path):
    bos = "<|im_start|>" if split == "llama3" else ""
    chat = ChatFormat(template=CHATML, end=("<|im_end|>", "<|endoftext|>"), bos_token=bos, eos_token="<|im_end|>")
    first = imported(split=split, composed=split == "qwen2", chat=chat, bos=bos)
    again = gguf_tokenizer(written(first, tmp_path))
    assert again.to_json() == first.to_json()
    assert again.encode(TEXT, allow_special=True) == first.encode(TEXT, allow_special=True)


def test_ids_are_those_of_transformers_own_reader(tmp_path):
    from transformers import AutoTokenizer

    path = written(TRAINED, tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    assert theirs(TEXT).input_ids == TRAINED.encode(TEXT)
    assert theirs.eos_token_id == TRAINED.special_tokens["<|endoftext|>"]


def test_ids_of_the_model_without_a_token_are_written_as_unused_and_are_none(tmp_path):
    model, again = load_gguf(written(TRAINED, tmp_path, more=5))
    assert model.config.vocab_size == TRAINED.vocab_size + 5 and again.vocab_size == TRAINED.vocab_size
    assert (
        tokenizer_fields(TRAINED, TRAINED.vocab_size + 1)["tokenizer.ggml.tokens"][-1] == f"[PAD{TRAINED.vocab_size}]"
    )


def test_a_file_without_a_tokenizer_says_so(tmp_path):
    mg.save_pretrained(mg.GPT(mg.GPTConfig(vocab_size=9, d_model=8, n_layers=1, n_heads=2)), tmp_path / "x.gguf")
    with pytest.raises(ValueError, match="its tokenizer is of the kind 'none'"):
        gguf_tokenizer(tmp_path / "x.gguf")


THREE_ENDS = ChatFormat(template="", end=(*SPECIAL,), eos_token="<|im_end|>")


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (mg.CharTokenizer("abc"), "a char tokenizer with 0 special tokens can't be written in a GGUF file"),
        (mg.BPETokenizer([], special_tokens=()), "a bpe tokenizer with 0 special tokens can't be written"),
        (mg.BPETokenizer([], pattern=r"[\s\S]"), "a bpe tokenizer can't be written in a GGUF file; only byte-level"),
        (mg.BPETokenizer([], special_tokens=("a",)), "two tokens would be written 'a'"),
        (imported(split="qwen2"), "the split 'qwen2' without Unicode's form NFC has no name in GGUF"),
        (imported(split="gpt2", composed=True), "the split 'gpt2' with Unicode's form NFC"),
        (imported(chat=THREE_ENDS), "one token before a text and two that end an answer"),
    ],
)
def test_what_the_format_can_not_hold_is_refused(tokenizer, message):
    with pytest.raises(ValueError, match=message):
        tokenizer_fields(tokenizer, tokenizer.vocab_size)


def test_a_tokenizer_larger_than_its_model_is_refused():
    size = TRAINED.vocab_size
    with pytest.raises(ValueError, match=f"the tokenizer has {size} tokens and the model {size - 1}"):
        tokenizer_fields(TRAINED, size - 1)
