import pytest

from minigpt.model import GPTConfig
from minigpt.runs import RunConfig
from minigpt.runs.run import first_model
from minigpt.training.safety import room_for_weights

SMALL = GPTConfig(vocab_size=100, d_model=64, n_layers=1, n_heads=1)


@pytest.mark.parametrize(
    ("spare", "fits"), [(4 * SMALL.n_parameters, True), (4 * SMALL.n_parameters - 1, False), (None, True)]
)
def test_a_model_is_built_if_its_weights_fit_into_what_is_free(monkeypatch, spare, fits):
    monkeypatch.setattr(room_for_weights, "spare_bytes", lambda device: spare)
    if fits:
        room_for_weights.check_memory(SMALL)
        return
    with pytest.raises(MemoryError, match=rf"has {SMALL.n_parameters:,} parameters, whose weights need 0\.0 GiB"):
        room_for_weights.check_memory(SMALL)


def test_a_model_far_larger_than_the_memory_is_refused_before_it_is_built():
    plan = RunConfig.of(d_model=65536, n_heads=64, n_layers=96).resolved()
    with pytest.raises(MemoryError, match=r"whose weights need 18,4.* GiB, and this machine has .* GiB of free"):
        first_model(plan)
