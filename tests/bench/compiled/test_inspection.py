"""minigpt/bench/compiled/inspection.py and `minigpt kernels check`: what is compiled, counted and refused.

Triton interprets or compiles, a process at a time: what is compiled here is compiled in another process.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import triton

from minigpt import cli
from minigpt.bench.compiled import inspection
from minigpt.bench.compiled.inspection import ATTENTION, TARGETS, Job, Report
from minigpt.cli import kernels as command
from minigpt.kernels import rms_norm
from minigpt.kernels.tile_sizes import FORWARD, KEYS_VALUES, TABLE

ROOT = Path(__file__).parents[3]
COMPILED = {
    "A100": (Job("sm_80", FORWARD, "bf16", 128), None),
    "H100": (Job("sm_90", FORWARD, "bf16", 128), None),
    "amd": (Job("gfx942", FORWARD, "bf16", 32), (128, 32, 4, 1)),
    "rows": (Job("sm_80", "rms_backward", "bf16", 1024), None),
    "repeated": (Job("sm_80", FORWARD, "bf16", 16), (16, 32, 4, 1)),
    "spilling": (Job("sm_80", FORWARD, "bf16", 16), (128, 256, 4, 1)),
    "too large": (Job("sm_86", FORWARD, "bf16", 32), (16, 256, 4, 8)),
    "no power of 2": (Job("sm_80", FORWARD, "bf16", 16), (128, 24, 4, 2)),
}
CODE = """
import json, sys
from minigpt.bench.compiled import inspection
from minigpt.kernels.tile_sizes import Tiles
for job, tiles in json.load(sys.stdin):
    report = inspection.inspect(inspection.Job(*job), Tiles(*tiles) if tiles else None)
    print(json.dumps(report._asdict()))
"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    cache = {"TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("cache")), "PYTHONPATH": os.pathsep.join(sys.path)}
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        input=json.dumps(list(COMPILED.values())),
        capture_output=True,
        text=True,
        env={**environment, **cache},
    )
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, done.stdout.splitlines())
    return {name: Report(**line) for name, line in zip(COMPILED, lines, strict=True)}


@pytest.mark.parametrize("name", ["A100", "H100", "amd", "rows"])
def test_what_compiles_well_has_no_faults(name, reports):
    report = reports[name]
    assert report.faults == [] and report.spills_in_loops == 0
    assert 16 <= report.registers <= 512 and 0 < report.occupancy <= 1
    assert report.shared <= TARGETS[COMPILED[name][0].target].program_shared


@pytest.mark.parametrize("name", ["A100", "H100", "amd"])
def test_the_main_loop_holds_the_products_of_one_tile(name, reports):
    assert reports[name].useful == 1  # counted from the products' names, and as 2 of BLOCK_T × BLOCK_S × E
    assert 0 < reports[name].turns < reports[name].overlap <= 1


def test_products_that_warps_do_twice_are_told(reports):
    assert reports["repeated"].useful == 1 / 4  # 16 queries are work for one warp, and there are four


def test_there_is_an_exponential_for_each_score_and_one_for_each_row(reports):
    tiles = TABLE["sm_80", 2][FORWARD][1]
    threads = 32 * tiles.n_warps
    a_row = 4 * tiles.block_t // threads  # four threads hold a row of scores, and each computes its shrinking
    assert reports["A100"].mix["special"] == tiles.block_t * tiles.block_s // threads + a_row


def test_the_lines_that_the_explanation_shows_are_those_of_the_compiler_of_constraints_txt(reports):
    if f"triton=={triton.__version__};" not in (ROOT / "constraints.txt").read_text(encoding="utf-8"):
        pytest.skip(f"the page was written with the Triton of constraints.txt, and this is {triton.__version__}")
    page = (ROOT / "docs/explanation/the-kernel.md").read_text(encoding="utf-8")
    names = ("A100", "H100")
    assert command.table([COMPILED[name][0] for name in names], [reports[name] for name in names]) in page


def test_a_kernel_without_products_has_no_bound(reports):
    assert (reports["rows"].turns, reports["rows"].overlap) == (0, 0)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("spilling", "spills in loops"),
        ("too large", "bytes of shared memory, 101376 are there"),
        ("no power of 2", "power of 2"),
    ],
)
def test_what_does_not_fit_is_a_fault(name, fault, reports):
    assert fault in "; ".join(reports[name].faults)


def test_a_bound_below_the_bar_is_a_fault():
    job = Job("sm_90", FORWARD, "bf16", 128)
    assert inspection._faults(job, Report({}, registers=200, turns=0.51)) == []
    assert inspection._faults(job, Report({}, registers=200, turns=0.49)) == [
        "tensor cores at most 49% of the time, 50% are wanted"
    ]


def test_clocks_are_those_of_the_busiest_unit_by_hand():
    loop = Counter({"HMMA.16816.F32.BF16": 8, "MUFU.EX2": 4, "FFMA": 8, "FMNMX": 4, "LDSM.16.M88.4": 2, "BRA": 1})
    busy = inspection.clocks(loop, 4, TARGETS["sm_80"])
    assert busy == {"shared": 2 * 4 * 512 / 128, "issue": 19, "special": 4 * 128 / 16, "float": 16, "alu": 8}
    on_amd = inspection.clocks(
        Counter({"v_exp_f32_e32": 1, "v_mul_f32_e32": 4, "v_pk_mul_f32": 1}), 4, TARGETS["gfx942"]
    )
    assert on_amd["vector"] == 4 * 64 * (1 / 16 + 4 / 128 + 2 / 128)


def test_bounds_are_the_useful_share_with_and_without_overlap():
    job, tiles = Job("sm_80", KEYS_VALUES, "bf16", 16), inspection.Tiles(16, 16, 4, 1)
    loop = Counter({"HMMA.16816.F32.BF16": 4, "MUFU.EX2": 1})  # twice as many products as are needed
    needed, taken, rest = 4 * 2 * 16**3 / 2048, 4 * 4 * 4096 / 2048, 8
    assert inspection._bounds(loop, job, tiles) == (0.5, needed / (taken + rest), needed / taken)


@pytest.mark.parametrize(
    ("registers", "shared", "warps", "share"),
    [(64, 0, 4, 8 * 4 / 64), (81, 0, 4, 5 * 4 / 64), (32, 54 * 1024 + 512, 4, 2 * 4 / 64), (32, 0, 4, 1.0)],
)
def test_occupancy_is_limited_by_registers_by_shared_memory_and_by_the_number_of_warps(registers, shared, warps, share):
    assert inspection._occupancy(registers, shared, warps, TARGETS["sm_80"]) == share


def test_everything_covers_every_kernel_gpu_width_dtype_and_mask():
    everything = inspection.jobs(everything=True)
    assert {job.target for job in everything} == set(TARGETS) == {target for target, _ in TABLE}
    assert {job.kernel for job in everything} == {*ATTENTION, *inspection.ROWS, *inspection.HEAD}
    assert len(set(everything)) == len(everything) > 300
    assert set(inspection.jobs()) <= set(everything)


def test_the_short_list_has_both_head_widths_on_every_generation():
    wanted = {(t, k, 64 + 64 * i) for t in ("sm_80", "sm_90", "sm_100", "gfx942") for k in ATTENTION for i in (0, 1)}
    assert wanted <= {(job.target, job.kernel, job.width) for job in inspection.jobs()}


def test_while_triton_interprets_nothing_is_compiled(capsys):
    if not rms_norm.INTERPRETED:
        pytest.skip("needs Triton's interpreter")
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "check"])
    assert raised.value.code == 2
    assert "TRITON_INTERPRET is set" in capsys.readouterr().err


def test_the_command_prints_a_line_for_each_job_and_fails_for_one_that_is_not_fit(monkeypatch, capsys):
    jobs = [Job("sm_90", FORWARD, "bf16", 128), Job("sm_90", KEYS_VALUES, "bf16", 64)]
    fine = Report({"tensor": 12, "special": 34}, 216, 4, 0, 131072, 0.125, 1.0, 0.565, 1.0)
    monkeypatch.setattr(inspection, "jobs", lambda everything: jobs)
    monkeypatch.setattr(inspection, "refuse_interpreter", lambda: None)
    monkeypatch.setattr(
        command, "compile_all", lambda jobs, processes: [fine, fine._replace(faults=("7 spills in loops",))]
    )
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "check"])
    printed = capsys.readouterr()
    assert raised.value.code == 2
    assert printed.err == "minigpt: 1 of 2 kernels are not fit to run: sm_90 keys_values bf16 64 causal\n"
    first, second = (line for line in printed.out.splitlines() if line.startswith("sm_90"))
    assert " ".join(first.split()) == "sm_90 forward bf16 128 causal 216 4 0 128.0 12% 12 34 100% 56% 100%"
    assert second.endswith("7 spills in loops")


def test_all_fit_is_said_so(monkeypatch, capsys):
    monkeypatch.setattr(inspection, "refuse_interpreter", lambda: None)
    monkeypatch.setattr(command, "compile_all", lambda jobs, processes: [Report({}, 1)] * len(jobs))
    cli.main(["kernels", "check", "--all"])
    n = len(inspection.jobs(everything=True))
    assert f"\n{n} kernels, all fit to run" in capsys.readouterr().out
