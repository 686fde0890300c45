"""minigpt/bench/attention/tiles.py and `minigpt kernels tune`: what is tried, refused and chosen; the clock is ours."""

import math
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import pytest
import torch
import triton
from attention_cases import DEVICE

from minigpt import cli
from minigpt.bench import Setting, TileBench, Tried, tune_tiles
from minigpt.bench.attention import tiles
from minigpt.bench.compiled import compilation
from minigpt.cli.measuring import kernels as command
from minigpt.kernels import launches, tile_sizes
from minigpt.kernels.tile_sizes import FORWARD, KEYS_VALUES, QUERIES, TABLE, Tiles, candidates

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning"),
    pytest.mark.skipif(DEVICE == "cuda", reason="large tiles need Triton's interpreter"),
]
CPU, ROW = torch.device("cpu"), "sm_90"
KERNELS = (FORWARD, QUERIES, KEYS_VALUES)
TINY = Setting(16, 64, True, torch.float16, 1, 1)
BOTH = [TINY, replace(TINY, dtype=torch.bfloat16)]


class Clock:
    """A timer that gives each choice of tiles the seconds it is told, and 1 to the others; nothing runs meanwhile."""

    def __init__(self, monkeypatch, seconds=None):
        self.timed, self.seconds, self.ticks = [], seconds or {}, False
        for kernel in KERNELS:
            name = f"launch_{kernel}"
            monkeypatch.setattr(launches, name, partial(self.launched, kernel, getattr(launches, name)))

    def launched(self, kernel, launch, tiles, *rest):
        if self.ticks:
            self.timed.append((kernel, tiles))
        else:
            launch(tiles, *rest)

    def __call__(self, run):
        self.ticks = True
        run()
        self.ticks = False
        return self.seconds.get(self.timed[-1], 1.0)


def spoil(monkeypatch, kernel, tiles, what):
    """Have ``what`` happen to the tensors of a launch with these tiles, in the place of the launch or after it."""
    name = f"launch_{kernel}"
    launch = getattr(launches, name)

    def spoiled(given, *rest):
        return what(launch, given, *rest) if given == tiles else launch(given, *rest)

    monkeypatch.setattr(launches, name, spoiled)


def lists():
    """Every candidate in 16 bits; the interpreter knows tiles by their sides alone."""
    rows = {row for row, _ in TABLE}
    grid = product(KERNELS, rows, (64, 128))
    return sorted({(k, near[:2], e) for k, row, e in grid for near in candidates(k, row, 2, e)})


@pytest.mark.parametrize(("kernel", "sides", "width"), lists(), ids=str)
def test_each_candidate_computes_the_numbers_of_the_formula(kernel, sides, width):
    one = Tried(kernel, replace(TINY, n_positions=144, head_width=width), Tiles(*sides, 4, 1))
    assert tiles.checked(one, CPU) == one


def test_each_candidate_of_each_kernel_is_timed_in_turn_and_keeps_its_median(monkeypatch):
    clock = Clock(monkeypatch)
    measured = tune_tiles(CPU, ROW, BOTH, clock)
    expected = {kernel: candidates(kernel, ROW, 2, 64) for kernel in KERNELS}
    assert clock.timed == [(k, t) for k in KERNELS for t in expected[k] * tiles.TIMED_ROUNDS] * 2
    assert [(one.kernel, one.tiles) for one in measured.tried] == [(k, t) for k in KERNELS for t in expected[k]] * 2
    assert {(one.seconds, one.trouble) for one in measured.tried} == {(1.0, "")}
    seconds = iter([5.0, 1.0, 2.0])
    ones = [Tried(FORWARD, TINY, expected[FORWARD][0])]
    assert tiles.timed(ones, CPU, lambda run: next(seconds))[0].seconds == 2.0


def test_tiles_that_give_wrong_numbers_are_refused_and_neither_timed_nor_chosen(monkeypatch):
    entry, other, *_ = candidates(QUERIES, ROW, 2, 64)

    def wrong(launch, *given):
        launch(*given)
        given[7].mul_(1.1)  # dq

    clock = Clock(monkeypatch, {(QUERIES, other): 0.1})
    spoil(monkeypatch, QUERIES, other, wrong)
    measured = tune_tiles(CPU, ROW, [TINY], clock)
    (refused,) = (one for one in measured.tried if one.trouble)
    assert (refused.kernel, refused.tiles, refused.wrong, refused.seconds) == (QUERIES, other, True, math.inf)
    assert refused.trouble == "refused: off by 1e-01, and 0.003 is rounding"
    assert (QUERIES, other) not in clock.timed
    assert measured.best(QUERIES, 64) == entry
    assert refused.trouble in str(measured)


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_output_that_is_not_written_is_wrong(kernel, monkeypatch):
    entry = candidates(kernel, ROW, 2, 64)[0]
    spoil(monkeypatch, kernel, entry, lambda launch, *given: None)
    assert tiles.checked(Tried(kernel, TINY, entry), CPU).wrong


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (triton.OutOfResources(300000, 232448, "shared memory"), "skipped: out of resource: shared memory"),
        (RuntimeError("PassManager::run failed\nmore"), "skipped: PassManager::run failed"),
    ],
    ids=["too large", "not compiled"],
)
def test_tiles_that_do_not_fit_are_skipped_visibly_and_the_others_timed(error, said, monkeypatch):
    entry, other, *rest = candidates(FORWARD, ROW, 2, 64)

    def fail(*given):
        raise error

    clock = Clock(monkeypatch)
    spoil(monkeypatch, FORWARD, other, fail)
    measured = tune_tiles(CPU, ROW, [TINY], clock)
    (skipped,) = (one for one in measured.tried if one.trouble)
    assert skipped.tiles == other and not skipped.wrong
    assert skipped.trouble.startswith(said) and "more" not in skipped.trouble
    line = next(line for line in str(measured).splitlines() if said in line)
    assert line.startswith(str(skipped))
    assert {near for kernel, near in clock.timed if kernel == FORWARD} == {entry, *rest}


def made(*seconds, setting=TINY, kernel=FORWARD, row=ROW):
    near = candidates(kernel, row, 2, setting.head_width)
    return [Tried(kernel, setting, t, s) for t, s in zip(near, seconds, strict=False)]


@pytest.mark.parametrize(
    ("in_fp16", "in_bf16", "place"),
    [
        ((1.0, 0.97), (1.0, 0.97), 1),
        ((1.0, 0.99), (1.0, 0.99), 0),  # less than noise
        ((1.0, 0.5, 0.9), (1.0, 1.6, 0.9), 2),  # both dtypes count
        ((1.0, 0.5, 0.9), (1.0, math.inf, 0.9), 2),  # it does not run in one of them
        ((math.inf, 2.0, 3.0), (1.0, 2.0, 3.0), 1),  # nor does the table's
    ],
)
def test_the_fastest_in_all_dtypes_wins_by_more_than_noise(in_fp16, in_bf16, place):
    measured = TileBench("a GPU", ROW, [*made(*in_fp16), *made(*in_bf16, setting=BOTH[1])])
    assert measured.best(FORWARD, 64) == candidates(FORWARD, ROW, 2, 64)[place]


def test_nothing_is_best_where_nothing_ran():
    measured = TileBench("a GPU", ROW, made(math.inf, math.inf))
    with pytest.raises(ValueError, match="no tiles of forward ran in every dtype at head width 64"):
        measured.best(FORWARD, 64)


WIDTHS = (TINY, replace(TINY, head_width=128))


def all_of(row, *seconds):
    return [one for k, s in product(KERNELS, WIDTHS) for one in made(*seconds, setting=s, kernel=k, row=row)]


@pytest.mark.parametrize("row", ["sm_80", "sm_86", "sm_90", "gfx942"])
def test_where_the_tables_tiles_are_best_its_lines_are_those_of_the_file(row):
    lines = TileBench("a GPU", row, all_of(row, 1.0, 2.0)).entry()
    assert lines in Path(tile_sizes.__file__).read_text(encoding="utf-8")


def test_the_lines_for_the_table_can_be_put_in():
    lines = TileBench("a GPU", ROW, all_of(ROW, 2.0, 1.0)).entry()
    new = eval("{" + lines + "}", vars(tile_sizes))
    for kernel, old in TABLE[ROW, 2].items():
        second = [candidates(kernel, ROW, 2, width)[1] for width in (64, 128)]
        assert new[ROW, 2][kernel] == (*second, old[2])
    assert new[ROW, 2].keys() == TABLE[ROW, 2].keys()


def test_a_line_has_milliseconds_the_ratio_to_the_tables_tiles_and_the_rate():
    setting = Setting(4096, 64, True, torch.bfloat16, 4, 32)
    pairs = 4 * 32 * 4096 * 4097 // 2
    rates = [one.rate for k in KERNELS for one in made(1.0, setting=setting, kernel=k)]
    assert rates == [n * 2 * pairs * 64 for n in (2, 3, 4)]
    text = str(TileBench("a GPU", ROW, made(2e-3, 1e-3, setting=setting)))
    second = next(line for line in text.splitlines() if " 2.00 " in line)
    t, s, warps, stages = candidates(FORWARD, ROW, 2, 64)[1]
    rate = 4 * pairs * 64 / 1e-3 / 1e12
    assert second.split() == [
        "forward",
        "bfloat16",
        "64",
        str(t),
        "x",
        str(s),
        str(warps),
        str(stages),
        "1.000",
        "2.00",
        f"{rate:.1f}",
    ]


def test_where_the_tables_tiles_did_not_run_there_is_no_ratio_to_them():
    lines = str(TileBench("a GPU", ROW, made(math.inf, 1e-3))).splitlines()
    assert lines[-2].split()[:-1][-2:] == ["2", "1.000"]  # stages, ms


def test_what_is_checked_is_compiled_as_what_is_timed_and_ends_within_a_tile():
    sides = {side for _, sides, _ in lists() for side in sides if side > 16}
    assert tiles.CHECKED_LENGTH % 16 == 0 and all(tiles.CHECKED_LENGTH % side for side in sides)
    assert max(sides) < tiles.CHECKED_LENGTH
    assert all(s.n_positions % 16 == 0 and s.n_heads % 16 == 0 and s.causal for s in tiles.tile_settings())
    assert {(s.dtype, s.head_width) for s in tiles.tile_settings()} == set(product(tiles.ROUNDING, (64, 128)))


def test_the_clock_of_a_gpu_takes_the_median_of_launches_after_some_to_warm_up(monkeypatch):
    runs, marks = [], []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            marks.append(len(runs))
            self.at = len(marks) ** 2  # later launches take longer

        def elapsed_time(self, end):
            return end.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: marks.append("end"))
    seconds = tiles.cuda_seconds(lambda: runs.append(1))
    assert len(runs) == 25 and marks == [*(n for i in range(20) for n in (5 + i, 6 + i)), "end"]
    # Launch i, from 0, has marks 2i + 1 and 2i + 2: (2i + 2)² - (2i + 1)² = 4i + 3, in the middle 41.
    assert seconds == 41e-3


def test_without_a_gpu_the_command_says_what_to_do(capsys):
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "tune"])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("minigpt: tiles are timed on a CUDA GPU, and torch") and error.count("\n") == 1
    assert "`minigpt kernels check` compiles the kernels without one" in error


@pytest.fixture
def on_a_gpu(monkeypatch):
    """The command as if on an H100, where the second candidate wins."""

    def pretend(tried):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(compilation, "refuse_interpreter", lambda: None)
        monkeypatch.setattr(tile_sizes, "row_of", lambda device: ROW)
        monkeypatch.setattr(command, "tune_tiles", lambda device, row: TileBench("an H100", row, tried))

    return pretend


def test_the_command_prints_every_choice_and_the_lines_for_the_table(on_a_gpu, capsys):
    on_a_gpu(tried := all_of(ROW, 2.0, 1.0))
    cli.main(["kernels", "tune"])
    printed = capsys.readouterr().out
    assert all(str(one) in printed for one in tried)
    assert printed.endswith(TileBench("", ROW, tried).entry() + "\n")


def test_the_command_fails_where_numbers_are_wrong(on_a_gpu, capsys):
    on_a_gpu([*all_of(ROW, 1.0), made(1.0, math.inf)[1]._replace(wrong=True, trouble="refused")])
    with pytest.raises(SystemExit) as raised:
        cli.main(["kernels", "tune"])
    assert raised.value.code == 2
    printed, error = capsys.readouterr()
    assert printed.endswith(TileBench("", ROW, all_of(ROW, 1.0)).entry() + "\n")
    assert error.startswith("minigpt: 1 of 7 computed other numbers than the formula: forward float16 64 ")


def test_while_triton_interprets_nothing_is_timed(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(SystemExit):
        cli.main(["kernels", "tune"])
    assert "TRITON_INTERPRET is set" in capsys.readouterr().err
