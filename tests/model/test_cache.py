"""minigpt/model/cache.py: what is kept, what it costs, and what is refused. Equality is in tests/generation."""

import pytest
import torch

import minigpt as mg
from minigpt.cost import kv_cache_bytes
from minigpt.learn import cached_step
from minigpt.model.cache import SPARE


def make_model(**changes):
    base = {"vocab_size": 11, "context_length": 64, "d_model": 12, "n_layers": 2, "n_heads": 3}
    return mg.GPT(mg.GPTConfig(**base | changes), generator=torch.Generator().manual_seed(0)).eval()


@torch.no_grad()
def read(model, cache, *lengths):
    for n in lengths:
        model(torch.ones(cache.n_rows, n, dtype=torch.int64), cache)
    return cache


@torch.no_grad()
def test_a_step_is_that_of_the_equation():
    model = make_model(n_heads=1, n_layers=1, bias=False, position="none", attention="formula").double()
    attention, cache = model.blocks[0].attention, model.new_cache(1, 9)
    matrices = attention.project_qkv.weight.T.split(12, dim=1)
    past = (torch.zeros(0, 12, dtype=torch.float64),) * 2
    entered = []
    attention.register_forward_pre_hook(lambda module, inputs: entered.append(inputs[0][0, 0]))
    for token in (3, 1, 7, 7):
        logits = model(torch.tensor([[token]]), cache)
        output, *past = cached_step(entered[-1], *matrices, *past)
        x = model.token_embedding.weight[token] + output @ attention.project_out.weight.T
        block = model.blocks[0]
        expected = model.head(model.norm(x + block.mlp(block.norm_2(x))))
        torch.testing.assert_close(logits[0, 0], expected)
    kept = cache.layers[0]
    torch.testing.assert_close((kept.keys.slots[0, 0, :4], kept.values.slots[0, 0, :4]), tuple(past))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("changes", "window"), [({}, 40), ({"n_heads": 6, "n_kv_heads": 2}, 40), ({"window": 5}, 5)])
def test_its_bytes_are_those_of_the_formula_and_a_window_bounds_them(changes, window, dtype):
    model = make_model(**changes)
    cache = model.new_cache(3, 40, dtype=dtype)
    exact = kv_cache_bytes(model.config, 40, 3, word=dtype.itemsize)
    spare = 0 if window == 40 else exact // window * SPARE
    assert cache.n_bytes == exact + spare
    assert read(model, cache, 7, *[1] * 33).n_bytes == exact + spare


@pytest.mark.parametrize("kept", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("new", [torch.float32, torch.bfloat16])
def test_what_a_layer_gives_back_is_as_wide_as_the_wider_of_both(kept, new):
    keys = make_model().new_cache(1, 9, dtype=kept).layers[0].keys
    for start in (0, 3):
        seen = keys.extend(torch.randn(1, keys.slots.shape[1], 3, keys.slots.shape[-1]).to(new), start)
        assert seen.dtype == torch.promote_types(kept, new)


def test_what_is_kept_in_16_bits_is_close_and_not_equal():
    model, ids = make_model(), torch.arange(11)[None]
    with torch.no_grad():
        expected, actual = model(ids), model(ids, model.new_cache(1, 11, dtype=torch.bfloat16))
    assert 0 < (actual - expected).abs().max() < 0.01
    assert actual.dtype == torch.float32


def test_a_pass_that_fails_leaves_the_length_as_it_was_and_may_be_read_again():
    model = make_model(window=3)
    cache, ids = read(model, model.new_cache(1, 60), 1), torch.arange(7)[None]
    handle = model.blocks[1].register_forward_hook(lambda *_: 1 / 0)
    with torch.no_grad(), pytest.raises(ZeroDivisionError):
        model(ids, cache)
    handle.remove()
    assert cache.length == 1
    again = read(model, model.new_cache(1, 60), 1)
    with torch.no_grad():
        assert torch.equal(model(ids, cache), model(ids, again))


def test_where_an_interrupted_pass_has_overwritten_a_window_it_is_said():
    model = make_model(window=3)
    cache = read(model, model.new_cache(1, 60), 1)
    handle = model.blocks[1].register_forward_hook(lambda *_: 1 / 0)
    with torch.no_grad(), pytest.raises(ZeroDivisionError):
        read(model, cache, 40)
    handle.remove()
    with pytest.raises(ValueError, match=r"was interrupted; roll_back\(0\) and read the tokens anew"):
        read(model, cache, 1)
    cache.roll_back(0)
    assert read(model, cache, 5).length == 5


def test_a_window_can_be_taken_back_by_the_spare_slots_and_no_further():
    cache = read(make_model(window=4), make_model(window=4).new_cache(1, 64), 50)
    assert not cache.can_roll_back(50 - SPARE - 2)
    with pytest.raises(ValueError, match=rf"roll_back\({50 - SPARE - 2}\): .* a layer with a window can take back 16"):
        cache.roll_back(50 - SPARE - 2)
    cache.roll_back(50 - SPARE)
    assert cache.length == 50 - SPARE
    read(make_model(window=4), cache, 3)
    assert not cache.can_roll_back(50 - SPARE - 2)  # the slots that were overwritten stay so
    whole = read(make_model(), make_model().new_cache(1, 64), 50)
    assert all(whole.can_roll_back(n) for n in range(51))


def test_a_fork_shares_nothing_with_what_it_was_made_from():
    model = make_model()
    cache = read(model, model.new_cache(2, 9, padding=[0, 2]), 3)
    fork = cache.fork([1, 1, 0])
    assert (fork.n_rows, fork.length, fork.padding.tolist()) == (3, 3, [2, 2, 0])
    kept = cache.layers[0].keys.slots.clone()
    read(model, fork, 4)
    assert (cache.length, fork.length) == (3, 7)
    assert torch.equal(cache.layers[0].keys.slots, kept)


def test_a_cache_made_in_inference_mode_is_read_outside_of_it():
    model = make_model()
    with torch.inference_mode():
        cache = read(model, model.new_cache(2, 9), 2).fork([0])
    assert read(model, cache, 2).length == 4


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"n_rows": 0}, "n_rows=0 must be at least 1"),
        ({"n_positions": 65}, "n_positions=65 must be from 1 to context_length=64"),
        ({"n_positions": 0}, "n_positions=0 must be from 1"),
        ({"n_rows": 2, "padding": [1]}, "padding has 1 numbers; expected one for each of the 2 rows"),
        ({"n_rows": 2, "padding": [1, 64]}, r"padding=\[1, 64\] must be from 0 to 63: each row has a real token"),
        ({"n_rows": 2, "padding": [-1, 3]}, r"padding=\[-1, 3\] must be from 0"),
    ],
)
def test_a_size_that_makes_no_sense_is_refused(options, named):
    with pytest.raises(ValueError, match=named):
        make_model().new_cache(**options)


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        ((1, 8), "the cache is full: it holds 2 of n_positions=9 tokens and got 8 more; make a longer one"),
        ((2, 1), "got 2 rows of ids; the cache has 1: see fork"),
    ],
)
def test_ids_that_do_not_fit_are_refused_and_nothing_is_lost(ids, named):
    model = make_model()
    cache = read(model, model.new_cache(1, 9), 2)
    with torch.no_grad(), pytest.raises(ValueError, match=named):
        model(torch.zeros(ids, dtype=torch.int64), cache)
    assert read(model, cache, 7).length == 9


def test_another_model_another_device_and_gradients_are_refused():
    model = make_model()
    with torch.no_grad(), pytest.raises(ValueError, match=r"a model of another shape; make one with model\.new_cache"):
        make_model(n_layers=1)(torch.zeros(1, 1, dtype=torch.int64), model.new_cache())
    elsewhere = make_model().to("meta").new_cache()
    with torch.no_grad(), pytest.raises(ValueError, match="ids are on cpu, the cache on meta; make it with"):
        model(torch.zeros(1, 1, dtype=torch.int64), elsewhere)
    with pytest.raises(ValueError, match=r"keeps no gradients: call the model within torch.no_grad\(\)"):
        model(torch.zeros(1, 1, dtype=torch.int64), model.new_cache())


@pytest.mark.parametrize(("rows", "shown"), [([2], r"\[2\]"), ([-1], r"\[-1\]"), ([], r"\[\]"), (0, "0")])
def test_rows_that_there_are_not_are_refused(rows, shown):
    with pytest.raises(ValueError, match=rf"fork\({shown}\): expected a list of row numbers, each from 0 to 1"):
        make_model().new_cache(2).fork(rows)


@pytest.mark.parametrize("length", [-1, 3])
def test_rolling_back_to_what_was_never_read_is_refused(length):
    model = make_model()
    with pytest.raises(ValueError, match=rf"roll_back\({length}\): the cache holds 2 tokens; expected 0 to 2"):
        read(model, model.new_cache(), 2).roll_back(length)
