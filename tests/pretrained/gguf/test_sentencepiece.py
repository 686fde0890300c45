"""Tokenizers of SentencePiece's kind in GGUF files, beside its rule written out and transformers' conversion."""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2] / "text" / "tokenizers"))
from published_kinds import sentencepiece

from minigpt.pretrained.gguf import gguf_tokenizer, load_gguf
from minigpt.pretrained.gguf import sentencepiece as module
from minigpt.pretrained.gguf.tokenizer import tokenizer_in

KEEP, UNUSED = "<keep>", "[PAD]"


def spm_fields(**changes):
    """The fields of a small tokenizer, as llama.cpp converts one: a score of its own for each token."""
    vocabulary = sentencepiece()["model"]["vocab"]
    tokens = [*sorted(vocabulary, key=vocabulary.get), KEEP, UNUSED]
    kinds = {"<unk>": 2, "<s>": 3, "</s>": 3, KEEP: 4, UNUSED: 5}
    types = [kinds.get(token, 6 if token.startswith("<0x") else 1) for token in tokens]
    fields = {
        "model": "llama",
        "tokens": tokens,
        "token_type": types,
        "scores": [-float(i) if kind == 1 else 0.0 for i, kind in enumerate(types)],
        "bos_token_id": 1,
        "eos_token_id": 2,
        **changes,
    }
    return {f"tokenizer.ggml.{name}": value for name, value in fields.items()}


def read(**changes):
    """The tokenizer of such fields, as arrays are read from a file."""
    fields = spm_fields(**changes)
    for name in ("token_type", "scores"):
        value = fields[f"tokenizer.ggml.{name}"]
        fields[f"tokenizer.ggml.{name}"] = np.array(value) if isinstance(value, list) else value
    return tokenizer_in({name: value for name, value in fields.items() if value is not None})


OURS = read()
FIELDS = {name.removeprefix("tokenizer.ggml."): value for name, value in spm_fields().items()}
IDS = {token: i for i, token in enumerate(FIELDS["tokens"])}
SCORE = {token: FIELDS["scores"][i] for token, i in IDS.items() if FIELDS["token_type"][i] == 1}


def by_rule(text, *, prefix=True):
    """llama.cpp's rule: join the neighbours whose joint token has the highest score, the leftmost first."""
    ids, score = IDS, SCORE
    found = []
    for n, part in enumerate(text.split(KEEP)):
        found += [ids[KEEP]] if n else []
        symbols = list((" " * (prefix and part != "") + part).replace(" ", "▁"))
        while pairs := [(-score[a + b], i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in score]:
            _, i = min(pairs)
            symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
        for symbol in symbols:
            found += [ids[symbol]] if symbol in score else [ids[f"<0x{byte:02X}>"] for byte in symbol.encode()]
    return found


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12) | st.lists(
    st.sampled_from(["the", " tokenizer", "  ", "\n", "é", "我们", "🙂", "</s>", KEEP, "<0x41>", " self", "▁", "def "]),
    max_size=8,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_ids_are_those_of_the_rule_and_decode_to_the_text(text):
    ids = OURS.encode(text)
    assert ids == by_rule(text)
    if KEEP not in text:  # after which a space is put, too
        assert OURS.decode(ids) == text.replace("▁", " ")


def test_ids_are_those_of_transformers_conversion():
    from transformers.integrations.gguf import convert_gguf_tokenizer

    theirs, _ = convert_gguf_tokenizer("phi3", {**FIELDS, "tokenizer_type": "llama", "unk_token_id": 0})
    theirs.encode_special_tokens = True
    for text in (Path(__file__).read_text()[i : i + 60] for i in range(0, 3000, 50)):
        assert OURS.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def test_the_scores_order_what_is_joined(monkeypatch):
    text = "the tokenizer of the kind of Llama"
    by_scores = OURS.encode(text)
    monkeypatch.setattr(module, "sorted", lambda items, key=None: sorted(items, key=key, reverse=True), raising=False)
    assert read().encode(text) != by_scores


def test_a_file_without_the_space_before_a_text_keeps_the_spaces_of_the_text():
    plain = read(add_space_prefix=False)
    for text in ("the", " the", "  a"):
        assert plain.encode(text) == by_rule(text, prefix=False) and plain.decode(plain.encode(text)) == text


def test_control_tokens_are_text_unless_they_are_asked_for_and_unused_ones_are_none():
    assert 2 not in OURS.encode("a</s>") and OURS.encode("a</s>", allow_special=True)[-1] == 2
    assert OURS.special_tokens == {"<unk>": 0, "<s>": 1, "</s>": 2}
    assert OURS.vocab_size == len(spm_fields()["tokenizer.ggml.tokens"]) - 1


def test_a_token_is_put_before_every_text_unless_the_file_says_no():
    assert (OURS.bos, read(add_bos_token=False).bos) == ("<s>", "")


def test_without_bytes_a_character_without_a_token_is_the_unknown_one():
    fields = spm_fields()
    types = [5 if kind == 6 else kind for kind in fields["tokenizer.ggml.token_type"]]
    without = read(token_type=types)
    assert without.encode("\x07")[-1] == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": None}, r"tokenizer\.ggml\.scores should have a finite number for each of the"),
        ({"scores": [0.0, float("nan")]}, r"scores should have a finite number"),
        ({"token_type": [7]}, r"token_type should have one of \[1, 2, 3, 4, 5, 6\]"),
        ({"precompiled_charsmap": np.zeros(3, np.uint8)}, "precompiled_charsmap changes the text"),
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces changes the text"),
        ({"tokens": ["a", "b"], "token_type": [1, 6], "scores": [0.0, 0.0]}, "its token 'b' is of type byte"),
        ({"tokens": ["a", "b"], "token_type": [1, 1], "scores": [0.0, 0.0]}, "tokens for 0 of the 256 bytes and none"),
    ],
)
def test_what_can_not_be_used_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        read(**changes)


def test_it_is_read_from_a_file_with_its_model(tmp_path):
    from tiny_gguf import random_llama, write

    fields = {**spm_fields(), "tokenizer.ggml.pre": None, "tokenizer.ggml.merges": None}
    model = random_llama(vocab_size=len(fields["tokenizer.ggml.tokens"]))
    path = write(tmp_path / "spm.gguf", model, fields=fields)
    text = "the kind of Llama 2 – 我们"
    assert load_gguf(path)[1].encode(text) == by_rule(text) == gguf_tokenizer(path).encode(text)


def test_without_the_package_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(ImportError, match="needs tokenizers: pip install tokenizers"):
        read()


def test_a_token_that_would_take_all_memory_is_refused():
    tokens = [*FIELDS["tokens"], "a" * 200_000]
    longer = {"token_type": [*FIELDS["token_type"], 1], "scores": [*FIELDS["scores"], -999.0]}
    with pytest.raises(ValueError, match="a token of 200,000 characters; at most 1,024 are read"):
        read(tokens=tokens, **longer)
