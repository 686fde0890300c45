import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig
from minigpt.training.run_state import model_from

CONFIG = TrainConfig(steps=2, batch_size=4, learning_rate=0.01, device="cpu")


@pytest.mark.parametrize("position", ["learned", "rope-half", "sinusoidal"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_of_another_dtype_is_trained_saved_loaded_and_trained_on(
    make_model, data, tokenizer, tmp_path, dtype, position
):
    model = make_model(position=position).to(dtype)
    mg.train(model, data, CONFIG, tokenizer=tokenizer, out=tmp_path, progress=False)
    loaded, _ = mg.load_model(tmp_path)
    ids = data.batch(0, 2)[0]
    assert next(loaded.parameters()).dtype == dtype and torch.equal(loaded(ids), model(ids))
    again = make_model(position=position).to(dtype)
    mg.train(again, data, CONFIG, tokenizer=tokenizer, out=tmp_path, resume=True, progress=False)
    assert torch.equal(again(ids), model(ids))
    with pytest.raises(ValueError, match=r"the weights do not fit the model: .* the model wants float32"):
        mg.train(make_model(position=position), data, CONFIG, tokenizer=tokenizer, out=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("change", "found"), [(lambda w: w.to(torch.int32), "float32, int32"), (lambda w: w.double(), "float32, float64")]
)
def test_weights_of_several_dtypes_or_of_integers_are_refused(make_model, data, change, found):
    snapshot = RunState(make_model(), CONFIG, data).snapshot(0)
    name = next(iter(snapshot.model))
    snapshot.model[name] = change(snapshot.model[name])
    with pytest.raises(ValueError, match=f"the weights have {found}; a model has one of float64"):
        model_from(snapshot)


def test_a_run_that_continues_with_other_threads_says_so(make_model, data, monkeypatch):
    run = RunState(make_model(), CONFIG, data)
    snapshot = run.snapshot(1)
    run.restore(snapshot)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    with pytest.warns(UserWarning, match=r"the run continues with 3 thread\(s\), and was saved with 1"):
        run.restore(snapshot)


def test_a_smaller_micro_batch_is_refused_on_resume_with_dropout_alone(make_model, data, tokenizer, tmp_path):
    for dropout in (0.0, 0.2):
        out, model = tmp_path / str(dropout), make_model(dropout=dropout)
        mg.train(model, data, CONFIG, tokenizer=tokenizer, out=out, progress=False)
    smaller = TrainConfig(steps=2, batch_size=4, micro_batch_size=2, learning_rate=0.01, device="cpu")
    mg.train(make_model(), data, smaller, tokenizer=tokenizer, out=tmp_path / "0.0", resume=True, progress=False)
    with pytest.raises(ValueError, match="micro_batch_size was 4, now 2"):
        mg.train(make_model(dropout=0.2), data, smaller, tokenizer=tokenizer, out=out, resume=True, progress=False)
