"""The kind of tokenizer that the package ``tokenizers`` works; that of Llama 2 is the example."""

import json
import sys

import pytest
import tokenizers
from hypothesis import given, settings
from published_kinds import byte_level, sentencepiece, texts
from tokenizer_campaign import theirs_and_ours

import minigpt as mg
from minigpt.text.tokenizers.hugging_face import to_hugging_face
from minigpt.text.tokenizers.library import LibraryTokenizer

DATA = sentencepiece()
OURS = mg.load_tokenizer(DATA)


def test_the_ids_are_those_of_transformers_and_decoding_gives_the_text_back():
    theirs, ours = theirs_and_ours("sentencepiece")

    @settings(max_examples=60, deadline=None, database=None)
    @given(texts)
    def equal(text):
        for allow_special in (False, True):
            assert ours.encode(text, allow_special=allow_special) == theirs(text, allow_special)
        assert ours.decode(ours.encode(text)) == text.replace("▁", " ")

    equal()


def test_special_tokens_in_a_text_are_text_unless_they_are_asked_for():
    assert OURS.special_tokens == {"<unk>": 0, "<s>": 1, "</s>": 2}
    assert 2 not in OURS.encode("a</s>") and OURS.decode(OURS.encode("a</s>")) == "a</s>"
    assert OURS.encode("a</s>", allow_special=True)[-1] == 2


def test_the_bytes_of_tokens_are_the_text_with_the_space_before_it():
    ids = OURS.encode("the 我们 \U0001f600")
    assert b"".join(map(OURS.token_bytes, ids)) == " the 我们 \U0001f600".encode()
    assert OURS.token_bytes(2) == b"</s>"
    assert OURS.decode([]) == ""


def test_it_is_saved_and_loaded_as_it_was(tmp_path):
    OURS.save(tmp_path / "mine.json")
    again = mg.load_tokenizer(tmp_path / "mine.json")
    assert isinstance(again, LibraryTokenizer) and again.vocab_size == OURS.vocab_size
    assert again.encode("the cat 我们") == OURS.encode("the cat 我们")


def test_it_is_written_for_the_libraries_of_others_with_the_token_before_every_text():
    first = LibraryTokenizer(DATA, bos="<s>")
    data = to_hugging_face(first)
    again, theirs = mg.load_tokenizer(data), tokenizers.Tokenizer.from_str(json.dumps(data))
    for text in ("the cat 我们", "a</s>", ""):
        assert again.encode(text) == first.encode(text)
        assert theirs.encode(text).ids == [1, *first.encode(text, allow_special=True)]
    assert again.bos == "<s>" and data["model"] == DATA["model"]


def test_what_a_file_adds_cuts_or_fills_is_left_out():
    adding = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }
    cut = {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0}
    ours = mg.load_tokenizer({**DATA, "post_processor": adding, "truncation": cut})
    assert ours.encode("the cat sat") == OURS.encode("the cat sat")


def test_without_the_package_it_is_named(monkeypatch):
    saved = OURS.to_json()
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    for data in (DATA, saved):
        with pytest.raises(ValueError, match="pip install tokenizers"):
            mg.load_tokenizer(data)


def changed(**changes):
    data = json.loads(json.dumps(DATA))
    return {**data, **changes}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}), "its decoder has the steps"),
        (changed(decoder=None), 'field "decoder" should be a dict'),
        (changed(model={**DATA["model"], "type": "WordPiece"}), "only BPE and Unigram without dropout"),
        (changed(model={**DATA["model"], "dropout": 0.1}), "only BPE and Unigram without dropout"),
        (changed(model={**DATA["model"], "vocab": {"a": "b"}}), "can't be used by the package tokenizers"),
        (changed(model={**DATA["model"], "vocab": {**DATA["model"]["vocab"], "zz": 10**6}}), "without large gaps"),
        (changed(normalizer={"type": "Nonsense"}), "can't be used by the package tokenizers"),
        (changed(added_tokens=[{"content": 3}]), "can't be used by the package tokenizers"),
        ({**byte_level("gpt2"), "model": {"type": "BPE", "byte_fallback": True}}, "can't be used by the package"),
    ],
)
def test_what_can_not_be_used_is_one_error(data, message):
    with pytest.raises(ValueError, match=f"not a usable tokenizer: .*{message}"):
        mg.load_tokenizer(data)


@pytest.mark.parametrize("token_id", [-1, OURS.vocab_size])
def test_an_id_outside_the_vocabulary_is_refused(token_id):
    with pytest.raises(ValueError, match=f"id {token_id} at position 0 is outside"):
        OURS.decode([token_id])


def test_a_tokenizer_from_elsewhere_is_shown_by_its_kind_and_its_size():
    assert repr(OURS) == f"LibraryTokenizer({DATA['model']['type']}, vocab_size={OURS.vocab_size})"
    smollm = mg.load_tokenizer(byte_level("smollm"))
    shown = f"ImportedTokenizer(byte-level BPE split as smollm, vocab_size={smollm.vocab_size})"
    assert repr(smollm) == shown
