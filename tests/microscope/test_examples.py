import pytest
import torch

import minigpt as mg
from minigpt.microscope import nearest_tokens, top_contexts
from minigpt.microscope.views.tokens import token_texts


def test_the_nearest_tokens_have_the_largest_cosines(make_model):
    model = make_model()
    found = nearest_tokens(model, 4, 5)
    embedding = model.token_embedding.weight.detach()
    cosines = torch.nn.functional.cosine_similarity(embedding, embedding[4][None])
    others = [i for i in cosines.argsort(descending=True).tolist() if i != 4]
    assert [token for token, _ in found] == others[:5]
    assert [value for _, value in found] == pytest.approx([float(cosines[token]) for token, _ in found])
    assert len(nearest_tokens(model, 4, 99)) == 16
    assert nearest_tokens(model, 3 * embedding[4], 1)[0] == (4, pytest.approx(1))


def test_a_token_that_is_none_is_refused(make_model):
    with pytest.raises(ValueError, match="token=17 must be a whole number, 0 to 16, or a vector of 24 numbers"):
        nearest_tokens(make_model(), 17)


def test_the_top_contexts_of_a_neuron_are_its_largest_activations_in_the_pieces_of_a_text(make_model):
    model = make_model()
    text = torch.randint(17, (31,), generator=torch.Generator().manual_seed(8))
    found = top_contexts(model, text, 1, 33, k=4, width=3)
    values = torch.cat(
        [mg.look(model, text[None, a:b])["blocks.1.mlp.hook_post"][0, :, 33] for a, b in ((0, 12), (12, 24), (24, 31))]
    )
    order = values.argsort(descending=True)[:4].tolist()
    assert [context.place for context in found] == order
    assert [context.value for context in found] == pytest.approx(values[order].tolist())
    assert [context.ids for context in found] == [text[max(0, at - 2) : at + 1].tolist() for at in order]
    assert found[0].text([f"<{i}>" for i in found[0].ids]) == "".join(f"<{i}>" for i in found[0].ids)


def test_a_neuron_or_a_text_that_is_none_is_refused(make_model):
    model, text = make_model(), torch.arange(5)
    with pytest.raises(ValueError, match="neuron=40 must be a whole number, 0 to 39"):
        top_contexts(model, text, 0, 40)
    with pytest.raises(ValueError, match="layer=3 must be a whole number, 0 to 2"):
        top_contexts(model, text, 3, 0)
    with pytest.raises(ValueError, match=r"must be a tensor \(T,\)"):
        top_contexts(model, text[None], 0, 0)
    with pytest.raises(ValueError, match=r"must be a tensor \(T,\)"):
        top_contexts(model, text[:0], 0, 0)


def test_every_character_of_a_token_shows():
    texts = token_texts(range(6), [" a", "\n", "<b>", "词", "\u202e\x07", "e\u0301"])
    assert texts == ["·a", "↵", "<b>", "词", "\\u{202e}\\u{7}", "e\u0301"]
    assert token_texts([3, 12]) == ["3", "12"]
    with pytest.raises(ValueError, match="1 labels for 2 tokens"):
        token_texts([3, 12], ["a"])


def test_half_a_character_is_shown_by_its_bytes():
    tokenizer = mg.BPETokenizer.train(["词 <b>\n"], vocab_size=257)
    ids = tokenizer.encode("词 <")
    assert token_texts(ids, tokenizer) == ["\\xe8", "\\xaf", "\\x8d", "·", "<"]


def test_nearest_tokens_and_top_contexts_are_printed_as_tables_with_three_digits(make_model):
    model, text = make_model(), torch.randint(17, (40,), generator=torch.Generator().manual_seed(0))
    nearest, contexts = nearest_tokens(model, 4, 3), top_contexts(model, text, 1, 33, k=2, width=3)
    head, first, *_ = str(nearest).split("\n")
    assert head.split() == ["token", "cosine"] and first.split() == [str(nearest[0][0]), f"{nearest[0][1]:.3f}"]
    head, first, *_ = repr(contexts).split("\n")
    assert head.split("  ")[0] == "place"
    assert first.split() == [str(contexts[0].place), f"{contexts[0].value:.3f}", *map(str, contexts[0].ids)]
    names = mg.CharTokenizer.train("abcdefghijklmnopq")
    assert str(nearest.text(names)).split("\n")[1].split()[0] == names.decode([nearest[0][0]])
    assert contexts.text(names).split("\n")[1].endswith("  " + names.decode(contexts[0].ids))
