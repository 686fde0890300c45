from itertools import chain

import pytest

import minigpt as mg
from minigpt.runs import RunConfig, Source, open_splits
from minigpt.text.reading import TextFiles


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text(f"This is file {i}. " * 6)
    return tmp_path


def ids(data):
    return list(chain(*(shard.tokens.tolist() for shard in data.shards)))


def test_between_the_files_of_a_folder_is_the_end_of_a_document(folder):
    config = RunConfig(source=Source(text=folder, tokenizer="bpe:280")).changed(context_length=8)
    tokenizer, data, validation = open_splits(config)
    end = tokenizer.special_tokens["<|endoftext|>"]
    files = [tokenizer.encode((folder / f"{i}.txt").read_text()) for i in range(3)]
    assert ids(data)[: len(files[0]) + 1] == [*files[0], end]
    assert (ids(data) + ids(validation)).count(end) == 3


def test_in_characters_it_is_a_blank_line(folder):
    config = RunConfig(source=Source(text=folder, tokenizer="char")).changed(context_length=8)
    tokenizer, data, validation = open_splits(config)
    texts = [(folder / f"{i}.txt").read_text() for i in range(4)]
    assert tokenizer.decode(ids(data) + ids(validation)) == "\n\n".join(texts)


def test_the_context_that_is_advised_for_a_short_text_suits_both_splits(tmp_path):
    (tmp_path / "short.txt").write_text("one two three four five six seven")
    config = RunConfig(source=Source(text=tmp_path / "short.txt")).changed(context_length=64)
    with pytest.raises(ValueError, match=r"try context_length=\d+$") as caught:
        open_splits(config)
    _, data, validation = open_splits(config.changed(context_length=int(str(caught.value).rpartition("=")[2])))
    assert data.n_tokens > validation.n_tokens > 1


END = "<|endoftext|>"


@pytest.fixture
def mixed(tmp_path):
    """A folder of texts and of other files, which hold the text of a special token, and a saved tokenizer."""
    (tmp_path / "texts" / "inner").mkdir(parents=True)
    for name in ("a.py", "b.txt", "inner/c.py"):
        (tmp_path / "texts" / name).write_text(f"one in {name}{END}two in {name}\n" * 9)
    mg.BPETokenizer.train("one in two in\n" * 9, 270).save(tmp_path / "bpe.json")
    return tmp_path


@pytest.mark.parametrize("glob", [None, "*.py", "c.*"])
@pytest.mark.parametrize("special_tokens", [False, True])
def test_a_glob_and_special_tokens_give_what_preparing_gives(mixed, glob, special_tokens):
    source = Source(text=mixed / "texts", glob=glob, special_tokens=special_tokens, tokenizer=str(mixed / "bpe.json"))
    tokenizer, data, validation = open_splits(RunConfig(source=source).changed(context_length=8))
    texts = TextFiles(mixed / "texts", glob=glob, special_tokens=special_tokens)
    prepared = mg.prepare(texts, tokenizer, mixed / "data", workers=1, progress=False)
    end, found = tokenizer.special_tokens[END], ids(data) + ids(validation)
    expected = ids(prepared.train(8)) + ids(prepared.validation(8))
    assert tokenizer.decode([*found, end]) == tokenizer.decode(expected)
    assert [*found, end].count(end) == expected.count(end)
    assert (found.count(end) >= 9) == special_tokens


@pytest.mark.parametrize("fraction", [i / 400 for i in range(40, 60)])
@pytest.mark.parametrize("tokenizer", ["file", "bpe:280"])
def test_no_special_token_is_cut_between_the_splits(mixed, fraction, tokenizer):
    name = str(mixed / "bpe.json") if tokenizer == "file" else tokenizer
    source = Source(text=mixed / "texts" / "b.txt", special_tokens=True, tokenizer=name, validation_fraction=fraction)
    tokenizer, data, validation = open_splits(RunConfig(source=source).changed(context_length=8))
    assert (ids(data) + ids(validation)).count(tokenizer.special_tokens[END]) == 9


def test_a_glob_chooses_the_documents_of_a_folder(mixed):
    source = Source(text=mixed / "texts", glob="*.py", documents=True, tokenizer=str(mixed / "bpe.json"))
    tokenizer, data, validation = open_splits(RunConfig(source=source).changed(context_length=400))
    rows = [tokenizer.decode(split.row(0).ids) for split in (data, validation)]
    assert [row[:14] for row in rows] == ["one in a.py<|e", "one in inner/c"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"glob": "*.py"}, r"glob='\*.py' chooses files of a folder; name the folder with text"),
        ({"special_tokens": True}, "special_tokens=True is for text files, which text names"),
        ({"special_tokens": True, "text": "my.txt", "documents": True}, "special_tokens=True is for one long row"),
    ],
)
def test_what_only_acts_on_texts_is_refused_elsewhere(changes, message):
    with pytest.raises(ValueError, match=message):
        Source(**changes)
