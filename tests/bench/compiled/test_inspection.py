"""minigpt/bench/compiled/inspection.py and `minigpt kernels check`: what is compiled, counted and refused.

Triton interprets or compiles, a process at a time: what is compiled here is compiled in another process.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import triton

from minigpt import cli
from minigpt.bench.compiled import compilation, inspection, jobs
from minigpt.bench.compiled.inspection import Report
from minigpt.bench.compiled.jobs import Job
from minigpt.bench.compiled.targets import TARGETS
from minigpt.cli.measuring import kernels as command
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


def test_while_triton_interprets_nothing_is_compiled(capsys):
    if not rms_norm.INTERPRETED:
        pytest.skip("needs Triton's interpreter")
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "check"])
    assert raised.value.code == 2
    assert "TRITON_INTERPRET is set" in capsys.readouterr().err


def test_the_command_prints_a_line_for_each_job_and_fails_for_one_that_is_not_fit(monkeypatch, capsys):
    two = [Job("sm_90", FORWARD, "bf16", 128), Job("sm_90", KEYS_VALUES, "bf16", 64)]
    fine = Report({"tensor": 12, "special": 34}, 216, 4, 0, 131072, 0.125, 1.0, 0.565, 1.0)
    monkeypatch.setattr(jobs, "choose_jobs", lambda everything: two)
    monkeypatch.setattr(compilation, "refuse_interpreter", lambda: None)
    monkeypatch.setattr(
        command, "compile_all", lambda jobs, processes: [fine, fine._replace(faults=("7 spills in loops",))]
    )
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "check"])
    printed = capsys.readouterr()
    assert raised.value.code == 2
    assert printed.err == "minigpt: 1 of 2 kernels not fit to run: sm_90 keys_values bf16 64 causal\n"
    first, second = (line for line in printed.out.splitlines() if line.startswith("sm_90"))
    assert " ".join(first.split()) == "sm_90 forward bf16 128 causal 216 4 0 128.0 12% 12 34 100% 56% 100%"
    assert second.endswith("7 spills in loops")


def test_all_fit_is_said_so(monkeypatch, capsys):
    monkeypatch.setattr(compilation, "refuse_interpreter", lambda: None)
    monkeypatch.setattr(command, "compile_all", lambda jobs, processes: [Report({}, 1)] * len(jobs))
    cli.main(["kernels", "check", "--all"])
    n = len(jobs.choose_jobs(everything=True))
    assert f"\n{n} kernels, all fit to run" in capsys.readouterr().out
