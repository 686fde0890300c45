import pytest

from minigpt.bench.compiled.compilation import refuse_interpreter, tiles_of
from minigpt.bench.compiled.jobs import Job
from minigpt.kernels import rms_norm
from minigpt.kernels.tile_sizes import FORWARD, HEAD_TABLE, QUERIES, TABLE


def test_the_tiles_of_a_job_are_those_of_the_table():
    assert tiles_of(Job("sm_90", FORWARD, "bf16", 128)) == TABLE["sm_90", 2][FORWARD][1]
    assert tiles_of(Job("sm_90", "normaliser", "fp32", 64)) == TABLE["sm_90", 4][QUERIES][0]
    assert tiles_of(Job("sm_80", "head_loss", "bf16", 768)) == HEAD_TABLE["sm_80", 2]
    assert tiles_of(Job("sm_80", "rms_forward", "bf16", 768)).n_warps == rms_norm.n_warps(1024)


def test_nothing_is_compiled_while_triton_interprets():
    if not rms_norm.INTERPRETED:
        pytest.skip("needs Triton's interpreter")
    with pytest.raises(ValueError, match="TRITON_INTERPRET is set, so Triton interprets its kernels"):
        refuse_interpreter()
