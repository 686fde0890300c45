"""minigpt/generation/decoder.py: what was read is not read again, and the logits are those of the whole row."""

from concurrent.futures import ThreadPoolExecutor

import cache_campaign
import pytest
import torch

import minigpt as mg
from minigpt.generation import GREEDY, Decoder, Sampler, decoder, generate_ids


@pytest.mark.parametrize("setting", cache_campaign.SAMPLE, ids=str)
def test_a_model_with_a_cache_is_the_model_without_one(setting):
    model, rows, chunks = setting
    error = cache_campaign.cached_error(
        cache_campaign.make_model(*model), cache_campaign.ROWS[rows], cache_campaign.CHUNKS[chunks]
    )
    assert error <= cache_campaign.TOLERANCE


@pytest.mark.parametrize("bug", cache_campaign.BUGS)
def test_each_planted_bug_is_noticed(bug):
    with cache_campaign.planted(bug):
        assert any(error > cache_campaign.TOLERANCE for error in cache_campaign.errors_of_sample())


def make_model(position="learned", window=None, convolution=None, heads=2):
    return cache_campaign.make_model(position, heads, window, convolution)


def draw(*shape, seed=0):
    return torch.randint(0, 13, shape, generator=torch.Generator().manual_seed(seed))


def counted(model):
    """How many tokens the model reads at each pass."""
    lengths = []
    model.token_embedding.register_forward_hook(lambda module, inputs, output: lengths.append(inputs[0].shape))
    return lengths


def test_only_what_comes_after_the_common_beginning_is_read():
    model, row = make_model(), draw(2, 30)
    lengths, decode = counted(model), Decoder(model)
    other = torch.cat([row[:, :12], (row[:, 12:20] + 1) % 13], dim=1)
    for rows, new in ((row[:, :20], 20), (row[:, :21], 1), (row, 9), (other, 8), (other[:, :5], 1), (row[:1], 30)):
        lengths.clear()
        logits = decode(rows)
        assert lengths == [(len(rows), new)]
        assert torch.allclose(logits, Decoder(model, cached=False)(rows), atol=1e-5)


def test_rows_that_were_changed_in_place_are_read_anew():
    model, rows = make_model(), draw(2, 10)
    decode = Decoder(model)
    for row, place in ((0, 2), (1, 9), (0, 9)):
        decode(rows)
        rows[row, place] = (rows[row, place] + 1) % 13
        assert torch.allclose(decode(rows), Decoder(model, cached=False)(rows), atol=1e-5)


def test_after_an_update_of_the_weights_all_is_read_anew():
    model, rows = make_model(), draw(2, 10)
    lengths, decode, optimizer = counted(model), Decoder(model), mg.AdamW(model.parameters(), lr=0.1)
    decode(rows[:, :8])
    model(rows).logsumexp(-1).sum().backward()
    optimizer.step()
    lengths.clear()
    logits = decode(rows)
    assert lengths == [(2, 10)]
    assert torch.allclose(logits, Decoder(model, cached=False)(rows), atol=1e-5)


def test_rows_that_differ_in_one_row_go_back_to_where_they_differ():
    model, rows = make_model(), draw(3, 10)
    decode, lengths = Decoder(model), counted(model)
    decode(rows)
    changed = rows.clone()
    changed[2, 4] = (changed[2, 4] + 1) % 13
    lengths.clear()
    decode(changed)
    assert lengths == [(3, 6)]


def test_a_window_that_has_moved_on_is_read_anew():
    model, row = make_model(window=3), draw(1, 50)
    decode, lengths = Decoder(model), counted(model)
    for n, new in ((50, 50), (40, 1), (20, 20)):
        expected = Decoder(model, cached=False)(row[:, :n])
        lengths.clear()
        assert torch.allclose(decode(row[:, :n]), expected, atol=1e-5)
        assert lengths == [(1, new)]


def test_a_long_prompt_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(decoder, "PROMPT_CHUNK", 8)
    model, row = make_model("rope-half", 3, 3), draw(1, 30)
    expected, lengths = Decoder(model, cached=False)(row), counted(model)
    assert torch.allclose(Decoder(model)(row), expected, atol=1e-5)
    assert lengths == [(1, 8), (1, 8), (1, 8), (1, 6)]


def test_after_an_interruption_in_a_prompt_the_logits_are_right(monkeypatch):
    monkeypatch.setattr(decoder, "PROMPT_CHUNK", 8)
    model, row = make_model(window=3), draw(1, 30)
    decode, passes = Decoder(model), []
    decode(row[:, :3])
    handle = model.blocks[1].register_forward_hook(lambda *_: passes.append(1) or (1 / 0 if len(passes) == 3 else None))
    with pytest.raises(ZeroDivisionError):
        decode(row)
    handle.remove()
    assert torch.allclose(decode(row), Decoder(model, cached=False)(row), atol=1e-5)


@pytest.mark.parametrize("position", ["learned", "rope-interleaved", "alibi"])
@pytest.mark.parametrize("n_new", [9, 60])
def test_generation_with_a_cache_is_generation_without_within_and_beyond_the_context(position, n_new):
    model, prompts = make_model(position, convolution=3), draw(2, 20)
    wide = Sampler(temperature=20)  # greedy, this model repeats one token

    def written(reader):
        draws = torch.Generator().manual_seed(3)
        return generate_ids(reader, prompts, max_new_tokens=n_new, sampler=wide, generator=draws)

    expected = written(Decoder(model, cached=False))
    assert len(set(expected[:, 20:].flatten().tolist())) > 2
    assert written(model).equal(expected)


def test_drawn_tokens_are_the_same_with_a_cache_and_without():
    model, prompts = make_model(), draw(3, 5)
    settings = {"max_new_tokens": 40, "sampler": Sampler(top_k=7)}
    with_and_without = [
        generate_ids(model, prompts, generator=torch.Generator().manual_seed(3), **settings)
        for model in (model, Decoder(model, cached=False))
    ]
    assert with_and_without[0].equal(with_and_without[1])


@pytest.mark.parametrize("n_new", [10, 40])
@pytest.mark.parametrize("cached", [True, False])
def test_prompts_of_any_length_are_continued_as_each_alone(cached, n_new):
    model, prompts = make_model("learned", 5, 3), [draw(n, seed=n) for n in (1, 30, 7)]
    settings = {"max_new_tokens": n_new, "sampler": GREEDY, "generator": torch.Generator(), "stop_tokens": [3]}
    together = generate_ids(Decoder(model, cached=cached), prompts, **settings)
    alone = [generate_ids(Decoder(model, cached=False), row[None], **settings)[0] for row in prompts]
    assert [row.tolist() for row in together] == [row.tolist() for row in alone]
    assert len({len(row) for row in alone}) == 3


def test_rows_that_have_ended_are_not_computed():
    model, prompts = make_model(), [draw(n, seed=n) for n in (1, 30, 7)]
    settings = {"max_new_tokens": 20, "generator": torch.Generator().manual_seed(0), "stop_tokens": [2, 6]}
    lengths = counted(model)
    rows = generate_ids(model, prompts, **settings)
    added = [len(row) - len(prompt) for row, prompt in zip(rows, prompts, strict=True)]
    assert min(added) < max(added)
    assert [n for n, _ in lengths] == [sum(n > step for n in added) for step in range(max(added))]


def test_a_list_of_anything_but_rows_is_refused():
    settings = {"max_new_tokens": 1, "generator": torch.Generator()}
    for wrong in ([], [[1, 2]], [torch.zeros(1, 2, dtype=torch.int64)], (torch.zeros(2, dtype=torch.int64),)):
        with pytest.raises(
            ValueError, match=r"a tensor \(B, T\), or a list of at least one tensor \(T,\), a prompt each"
        ):
            generate_ids(make_model(), wrong, **settings)


def test_a_recorded_microscope_sees_each_step():
    model, seen = make_model(), []
    with mg.model.hooks.watched([("block", model.blocks[0])], leaves=lambda name, x: seen.append(tuple(x.shape))):
        generate_ids(model, draw(1, 6), max_new_tokens=3, generator=torch.Generator())
    assert seen == [(1, 6, 16), (1, 1, 16), (1, 1, 16)]


def test_a_cache_that_is_outgrown_is_doubled():
    model = cache_campaign.make_model("learned", 2, None, None)
    limit, read = model.config.context_length, counted(model)
    generate_ids(Decoder(model, 3), draw(1, 2), max_new_tokens=limit - 2, generator=torch.Generator(), sampler=GREEDY)
    assert sum(shape[1] for shape in read) <= 3 * limit


def test_threads_that_share_a_decoder_write_what_each_would_alone():
    model = make_model()
    decoder, settings = Decoder(model), {"max_new_tokens": 12, "generator": torch.Generator(), "sampler": GREEDY}
    expected = [generate_ids(model, draw(n, n, seed=n), **settings).tolist() for n in (1, 2, 3, 4)]
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(generate_ids, decoder, draw(n, n, seed=n), **settings) for n in (1, 2, 3, 4) * 3]
        assert [job.result().tolist() for job in jobs] == expected * 3
