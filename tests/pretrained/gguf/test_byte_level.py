"""Byte-level BPE of Hugging Face's library in a GGUF file, with the library itself and transformers as oracles."""

import json
import random
import sys

import pytest

import minigpt as mg
from minigpt.pretrained.gguf import gguf_tokenizer
from minigpt.pretrained.gguf.byte_level import library_parts
from minigpt.text.tokenizers.hugging_face import to_hugging_face
from minigpt.text.tokenizers.imported import ImportedTokenizer
from minigpt.text.tokenizers.library import LibraryTokenizer
from minigpt.text.tokenizers.patterns import SPLITS

pytest.importorskip("tokenizers")
TEXT = "the cat's 1999 dogs – naïve 我们 \U0001f642\r\n\t x, where there's a will there's a way. 12 345 "
TRAINED = mg.BPETokenizer.train(TEXT * 30, 330)
WORDS = ["the ", "there's", "<|endoftext|>", "<tool>", "1999"]
ALPHABET = [*"abcdehlstw  \n\t'.,0123456789é我们½²e\u0301\U0001f642", *WORDS]
CUT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def shuffled(split="gpt2", **changes):
    """The object of a tokenizer.json whose merges are in another order than the ids of what they make."""
    special = {"<|endoftext|>": TRAINED.vocab_size - 1}
    data = to_hugging_face(ImportedTokenizer(TRAINED.ranks, special, split=split, composed=split == "qwen2"))
    data = json.loads(json.dumps(data))
    model = data["model"]
    joined = [token for token in model["vocab"] if len(token) > 1 and token not in special]
    ids = [model["vocab"][token] for token in joined]
    random.Random(1).shuffle(ids)
    model["vocab"] |= dict(zip(joined, ids, strict=True))
    model["ignore_merges"] = split == "llama3"
    return {**data, **changes}


def texts(n=400):
    draw = random.Random(7)
    return [TEXT, "", *("".join(draw.choices(ALPHABET, k=draw.randrange(1, 40))) for _ in range(n))]


def written(tokenizer, tmp_path, more=0):
    config = mg.GPTConfig(vocab_size=tokenizer.vocab_size + more, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(config), tmp_path / "x.gguf", tokenizer)
    return tmp_path / "x.gguf"


def of_the_library(data):
    tokenizer = mg.load_tokenizer(data)
    assert isinstance(tokenizer, LibraryTokenizer)
    return tokenizer


@pytest.mark.parametrize("split", SPLITS)
def test_the_ids_come_back_from_the_file(split, tmp_path):
    first = of_the_library(shuffled(split))
    again = gguf_tokenizer(written(first, tmp_path, more=3))
    for text in texts():
        for allow_special in (False, True):
            ids = first.encode(text, allow_special=allow_special)
            assert again.encode(text, allow_special=allow_special) == ids
        assert again.decode(ids) == first.decode(ids)
    assert again.special_tokens == first.special_tokens


def test_the_ids_are_those_of_transformers_reader_of_the_file(tmp_path):
    from transformers import AutoTokenizer

    first = of_the_library(shuffled())
    path = written(first, tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file=path.name)
    for text in texts():
        assert theirs(text, add_special_tokens=False).input_ids == first.encode(text, allow_special=True)


def test_a_token_that_every_text_is_searched_for_is_found_in_what_is_read(tmp_path):
    data = shuffled()
    tool = {**data["added_tokens"][0], "id": TRAINED.vocab_size, "content": "<tool>", "special": False}
    first = of_the_library({**data, "added_tokens": [*data["added_tokens"], tool]})
    assert first.encode("a<tool>")[-1] == TRAINED.vocab_size
    again = gguf_tokenizer(written(first, tmp_path))
    assert all(again.encode(text) == first.encode(text) for text in texts())


def model_of(**changes):
    data = shuffled()
    return {**data, "model": {**data["model"], **changes}}


def flagged(flag):
    data = shuffled()
    return {**data, "added_tokens": [{**data["added_tokens"][0], flag: True}]}


def with_added(split="gpt2", **fields):
    data = shuffled(split)
    token = {**data["added_tokens"][0], "id": TRAINED.vocab_size, "content": "<tool>", **fields}
    return {**data, "added_tokens": [*data["added_tokens"], token]}


def with_one_id_twice():
    data = shuffled(pre_tokenizer={**CUT})
    data["model"]["vocab"]["a"] = data["model"]["vocab"]["b"]
    return data


def with_unreachable_token():
    data = shuffled()
    data["model"]["vocab"]["wayward"] = TRAINED.vocab_size
    data["model"]["ignore_merges"] = True
    return data


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (shuffled(normalizer={"type": "Lowercase"}), "its normalizer is Lowercase, and only NFC has a name"),
        (shuffled(pre_tokenizer={**CUT, "add_prefix_space": True}), "add_prefix_space=True"),
        (shuffled(pre_tokenizer={"type": "Sequence", "pretokenizers": [CUT]}), "the steps ByteLevel"),
        (shuffled(pre_tokenizer=None), "it has no pre_tokenizer"),
        (model_of(byte_fallback=True), "its model has byte_fallback=True; only byte-level BPE"),
        (flagged("lstrip"), r"its added token '<\|endoftext\|>' takes in the text around it"),
        (flagged("single_word"), r"takes in the text around it \(single_word"),
        (model_of(end_of_word_suffix="</w>"), "end_of_word_suffix='</w>', which marks the parts of words"),
        (with_added("qwen2", content="é", normalized=True), "its added token 'é' is looked for after the normalizer"),
        (with_added(content="é"), "its added token 'é' has the id 309, and the package tokenizers gives it"),
        (with_added(id=3), "its added token '<tool>' has the id 3, and the package tokenizers gives it 309"),
        (with_one_id_twice(), "two of its tokens have one id"),
        (with_unreachable_token(), "its token 'wayward' is made by no merge, with ignore_merges=True"),
    ],
)
def test_what_no_field_can_say_is_refused_by_its_name_and_nothing_is_written(data, what, tmp_path):
    tokenizer = LibraryTokenizer(data)
    with pytest.raises(ValueError, match=f"can't be written in a GGUF file where .*{what}.*; write the model alone"):
        written(tokenizer, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_token_with_a_byte_that_has_none_is_refused(tmp_path):
    ranks = {token: i for token, i in TRAINED.ranks.items() if token != b"\xf0"}
    with pytest.raises(ValueError, match="holds a byte for which the vocabulary has no token"):
        written(ImportedTokenizer(ranks, {"<|endoftext|>": TRAINED.vocab_size - 1}), tmp_path)


def test_merges_written_as_texts_are_pairs():
    data = shuffled()
    joined = [" ".join(pair) for pair in data["model"]["merges"]]
    assert library_parts(LibraryTokenizer({**data, "model": {**data["model"], "merges": joined}})).merges == joined


def test_without_the_package_the_reader_says_what_it_is_for(tmp_path, monkeypatch):
    path = written(of_the_library(shuffled()), tmp_path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match=r"a tokenizer in which merge .* needs tokenizers: pip install"):
        gguf_tokenizer(path)
