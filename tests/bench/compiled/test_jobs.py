from minigpt.bench.compiled.jobs import ATTENTION_KERNELS, HEAD_KERNELS, PATTERNS, ROW_KERNELS, choose_jobs
from minigpt.bench.compiled.targets import TARGETS
from minigpt.kernels.tile_sizes import TABLE


def test_everything_covers_every_kernel_gpu_width_dtype_and_mask():
    everything = choose_jobs(everything=True)
    assert {job.target for job in everything} == set(TARGETS) == {target for target, _ in TABLE}
    assert {job.kernel for job in everything} == {*ATTENTION_KERNELS, *ROW_KERNELS, *HEAD_KERNELS}
    assert {job.pattern for job in everything if job.dtype == "bf16"} == set(PATTERNS)
    assert {job.dtype for job in everything} == {"bf16", "fp16", "fp32"}
    assert len(set(everything)) == len(everything) > 300
    assert set(choose_jobs()) <= set(everything)


def test_the_short_list_has_both_head_widths_on_every_generation():
    wanted = {
        (t, k, 64 + 64 * i) for t in ("sm_80", "sm_90", "sm_100", "gfx942") for k in ATTENTION_KERNELS for i in (0, 1)
    }
    assert wanted <= {(job.target, job.kernel, job.width) for job in choose_jobs()}
