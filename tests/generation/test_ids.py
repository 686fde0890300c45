import pytest
import torch

from minigpt.generation import GREEDY, Sampler, generate_ids, stream_ids
from minigpt.model import GPT, GPTConfig


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_greedy_generation_follows_the_largest_logit_of_the_table(table_model):
    model = table_model()
    expected = [2]
    for _ in range(8):
        expected.append(int(model.table[expected[-1]].argmax()))
    ids = generate_ids(model, torch.tensor([[2]]), max_new_tokens=8, generator=generator(), sampler=GREEDY)
    assert ids.tolist() == [expected]


@pytest.mark.parametrize("knobs", [{"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-4}])
def test_each_knob_at_its_end_generates_as_greedy_does(table_model, knobs):
    model, prompt = table_model(), torch.tensor([[3, 1]])
    greedy = generate_ids(model, prompt, max_new_tokens=20, generator=generator(), sampler=GREEDY)
    assert generate_ids(model, prompt, max_new_tokens=20, generator=generator(), sampler=Sampler(**knobs)).equal(greedy)


def test_sampled_pairs_follow_the_rows_of_the_table(table_model):
    model = table_model(vocab_size=3)
    ids = generate_ids(model, torch.zeros(4000, 1, dtype=torch.int64), max_new_tokens=1, generator=generator(2))
    expected = 4000 * model.table[0].detach().softmax(-1)
    chi_square = ((torch.bincount(ids[:, 1], minlength=3) - expected) ** 2 / expected).sum()
    assert float(chi_square) < 9.21  # the 99 % point at 2 degrees of freedom


def test_a_batch_of_prompts_is_continued_row_by_row(table_model):
    model, prompts = table_model(), torch.tensor([[0, 1], [2, 3], [4, 5]])
    together = generate_ids(model, prompts, max_new_tokens=6, generator=generator(), sampler=GREEDY)
    alone = [generate_ids(model, p[None], max_new_tokens=6, generator=generator(), sampler=GREEDY) for p in prompts]
    assert together.equal(torch.cat(alone))


def test_the_model_sees_its_last_context_and_the_result_keeps_the_whole_prompt(table_model):
    model, prompt = table_model(context_length=5), torch.arange(7)[None]
    ids = generate_ids(model, prompt, max_new_tokens=3, generator=generator())
    assert ids[:, :7].equal(prompt)
    assert [length for length, _ in model.calls] == [5, 5, 5]


def test_a_prompt_longer_than_the_context_is_continued_as_its_end_would_be(table_model):
    model, prompt = table_model(context_length=4), torch.tensor([[6, 5, 4, 3, 2, 1, 0]])
    whole = generate_ids(model, prompt, max_new_tokens=9, generator=generator())
    end = generate_ids(model, prompt[:, -4:], max_new_tokens=9, generator=generator())
    assert whole[:, 7:].equal(end[:, 4:])


def test_generation_ends_with_the_stop_token(reciter):
    model = reciter([1, 2, 3, 4, 5], vocab_size=6)
    ids = generate_ids(model, torch.tensor([[1]]), max_new_tokens=4, generator=generator(), stop_tokens=[3, 5])
    assert ids.tolist() == [[1, 2, 3]]


def test_a_row_that_has_stopped_repeats_its_stop_token_until_all_have(table_model):
    model = table_model(vocab_size=4)
    with torch.no_grad():  # 0 → 1 → 3, 2 → 3
        model.table.copy_(100 * torch.eye(4)[[1, 3, 3, 0]])
    ids = generate_ids(
        model, torch.tensor([[0], [2]]), max_new_tokens=9, generator=generator(), sampler=GREEDY, stop_tokens={3}
    )
    assert ids.tolist() == [[0, 1, 3], [2, 3, 3]]


def test_no_new_tokens_gives_back_the_prompt(table_model):
    prompt = torch.tensor([[1, 2]])
    assert generate_ids(table_model(), prompt, max_new_tokens=0, generator=generator()).equal(prompt)


def test_the_stream_is_the_generated_ids_one_step_at_a_time(table_model):
    model, prompts = table_model(), torch.tensor([[0], [1]])
    streamed = list(stream_ids(model, prompts, max_new_tokens=5, generator=generator(4)))
    whole = generate_ids(model, prompts, max_new_tokens=5, generator=generator(4))
    assert torch.stack(streamed, dim=1).equal(whole[:, 1:])


def test_the_model_is_asked_for_a_token_only_when_the_reader_wants_it(table_model):
    model = table_model()
    tokens = stream_ids(model, torch.tensor([[0]]), max_new_tokens=5, generator=generator())
    next(tokens)
    assert len(model.calls) == 1


def test_the_model_runs_in_eval_mode_and_every_module_gets_its_mode_back(table_model):
    model = table_model().train()
    model.frozen_part.eval()
    tokens = stream_ids(model, torch.tensor([[0]]), max_new_tokens=2, generator=generator())
    next(tokens)
    assert model.calls == [(1, False)]
    assert model.training
    assert not model.frozen_part.training


def test_the_mode_is_restored_when_the_model_fails(table_model, monkeypatch):
    model = table_model().train()
    monkeypatch.setattr(model, "forward", lambda ids: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generate_ids(model, torch.tensor([[0]]), max_new_tokens=1, generator=generator())
    assert model.training


def test_between_two_tokens_gradients_work_as_usual(table_model):
    tokens = stream_ids(table_model(), torch.tensor([[0]]), max_new_tokens=2, generator=generator())
    next(tokens)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_generated_ids_can_be_trained_on(table_model):
    model = table_model()
    ids = generate_ids(model, torch.tensor([[0]]), max_new_tokens=3, generator=generator())
    torch.nn.functional.embedding(ids, model.table).sum().backward()
    assert model.table.grad is not None


def test_the_result_is_on_the_device_of_the_model(table_model):
    ids = generate_ids(table_model().to("meta"), torch.tensor([[0]]), max_new_tokens=0, generator=generator())
    assert ids.device.type == "meta"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_the_same_generator_draws_the_same_tokens_on_a_gpu(table_model):
    prompt = torch.tensor([[0], [1]])
    on_cpu = generate_ids(table_model(), prompt, max_new_tokens=50, generator=generator())
    on_gpu = generate_ids(table_model().cuda(), prompt, max_new_tokens=50, generator=generator())
    assert on_gpu.is_cuda
    assert on_gpu.cpu().equal(on_cpu)


def test_the_real_model_generates_beyond_its_context():
    model = GPT(GPTConfig(vocab_size=11, context_length=4, d_model=8, n_layers=1, n_heads=2), generator=generator())
    ids = generate_ids(model, torch.tensor([[1, 2, 3]]), max_new_tokens=10, generator=generator())
    assert ids.shape == (1, 13)


@pytest.mark.parametrize(
    ("ids", "named"),
    [
        (torch.tensor([1, 2]), r"shape \(2,\) and dtype torch.int64; expected \(B, T\)"),
        (torch.ones(1, 2), "dtype torch.float32; expected"),
        (torch.zeros(1, 0, dtype=torch.int64), r"shape \(1, 0\) hold no token"),
        (torch.tensor([[0, 7]]), r"token id 7 is outside the model's vocabulary of 7 tokens \(0 … 6\)"),
        (torch.tensor([[0, -1]]), "token id -1 is outside"),
    ],
)
def test_ids_that_the_model_cannot_take_are_refused(table_model, ids, named):
    with pytest.raises(ValueError, match=named):
        generate_ids(table_model(), ids, max_new_tokens=1, generator=generator())


@pytest.mark.parametrize(
    ("knob", "named"),
    [
        ({"sampler": Sampler(match="a|b")}, r"match='a\|b' needs the text of the tokens.*use minigpt.generate"),
        ({"stop_tokens": [10**30]}, "a stop token=1000000000000000000000000000000 must be a whole number, 0 to"),
        ({"stop_tokens": "ab"}, "a stop token='[ab]' must be a whole number"),
        ({"sampler": Sampler(top_k=8)}, "top_k=8 is more than the vocabulary of 7 tokens"),
        ({"max_new_tokens": -1}, "max_new_tokens=-1 must be a whole number from 0 to"),
        ({"max_new_tokens": 2.5}, "max_new_tokens must be int, got 2.5"),
    ],
)
def test_a_meaningless_setting_is_refused_before_the_model_runs(table_model, knob, named):
    model = table_model()
    with pytest.raises(ValueError, match=named):
        stream_ids(model, torch.tensor([[0]]), **{"max_new_tokens": 1, "generator": generator(), **knob})
    assert model.calls == []


def test_non_finite_logits_are_named(table_model):
    model = table_model()
    torch.nn.init.constant_(model.table, float("nan"))
    with pytest.raises(ValueError, match="non-finite logits"):
        generate_ids(model, torch.tensor([[0]]), max_new_tokens=1, generator=generator())
