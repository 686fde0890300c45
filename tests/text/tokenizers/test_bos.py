"""The token that a model has read before every text, with transformers as oracle."""

import json

import pytest
from published_kinds import byte_level, sentencepiece

import minigpt as mg
from minigpt.generation import Borders

KINDS = {"llama 3": byte_level("llama3"), "smollm": byte_level("smollm"), "llama 2": sentencepiece()}


def template(token, token_id):
    start, text = {"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [start, text],
        "pair": [start, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {token: {"id": token, "ids": [token_id], "tokens": [token]}},
    }


def write(folder, data, post_processor):
    (folder / "tokenizer.json").write_text(json.dumps({**data, "post_processor": post_processor}))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text('{"model_type": "llama"}')


@pytest.mark.parametrize("form", ["alone", "in a sequence", "none"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_has_the_ids_that_transformers_gives(tmp_path, kind, form):
    from transformers import AutoTokenizer

    data = KINDS[kind]
    token, token_id = data["added_tokens"][1]["content"], data["added_tokens"][1]["id"]
    alone = template(token, token_id)
    before = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True}
    sequence = {"type": "Sequence", "processors": [before, alone]}
    write(tmp_path, data, {"alone": alone, "in a sequence": sequence, "none": None}[form])
    ours, theirs = mg.load_tokenizer(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert ours.bos == ("" if form == "none" else token)
    again = mg.load_tokenizer(ours.to_json())
    for text in ("it's 12", "a b\n"):
        expected = theirs(text).input_ids
        assert Borders(bos=ours.bos).encode(ours, text) == expected
        assert Borders(bos=again.bos).encode(again, text) == expected
        assert ours.encode(text) == expected[form != "none" :]  # which is not part of the text


def test_an_exported_tokenizer_puts_the_same_token_before_a_text(tmp_path):
    from transformers import AutoTokenizer

    ours = mg.load_tokenizer(KINDS["smollm"])
    ours.bos = "<|im_start|>"
    shape = mg.GPTConfig(vocab_size=ours.vocab_size, context_length=8, d_model=8, n_layers=1, n_heads=2)
    mg.save_pretrained(mg.GPT(shape), tmp_path, ours)
    assert mg.load_tokenizer(tmp_path).bos == "<|im_start|>"
    assert AutoTokenizer.from_pretrained(tmp_path)("a b").input_ids == [1, *ours.encode("a b")]


@pytest.mark.parametrize(
    "processor",
    [3, [], {"type": 3}, {"type": "Sequence", "processors": 3}, {"type": "TemplateProcessing", "single": [{}]},
     {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": []}}]}, template("unknown", 1)],
)  # fmt: skip
def test_a_post_processor_of_another_form_puts_nothing_before_a_text(processor):
    assert mg.load_tokenizer({**KINDS["smollm"], "post_processor": processor}).bos == ""


def test_a_token_that_is_not_special_is_refused():
    data = mg.load_tokenizer(KINDS["smollm"]).to_json()
    with pytest.raises(ValueError, match="bos='the' is not one of the 3 special tokens"):
        mg.load_tokenizer({**data, "bos": "the"})
    with pytest.raises(ValueError, match="bos='the' is not a special token of the char tokenizer"):
        Borders(bos="the").encode(mg.CharTokenizer("a"), "a")
