"""One-line changes of the kernels and their launches, each of which the checks must notice."""

import importlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import attention_cases
import head_cases
import torch
from attention_cases import LAYOUTS, Case, check, check_far_apart, check_low_scores, check_nothing_seen
from head_cases import HeadCase, check_frozen
from torch.utils.flop_counter import flop_registry

FOLDER = Path(__file__).parents[2] / "kernels"
SURVIVED = 3  # exit status


class KernelMutant(NamedTuple):
    """In ``kernels/<file>.py``, ``old`` stands once and is replaced by ``new``."""

    file: str
    old: str
    new: str

    def source(self) -> str:
        """The file as it is."""
        return (FOLDER / f"{self.file}.py").read_text(encoding="utf-8")

    def changed(self) -> str:
        """The file with the line changed."""
        if (n := self.source().count(self.old)) != 1:
            raise ValueError(f"{self.old!r} stands {n} times in {self.file}.py; expected once")
        return self.source().replace(self.old, self.new)


TABLE = {
    "flash_tiles": [
        ("block = n_blocks - 1 - program % n_blocks", "block = n_blocks - program % n_blocks"),
        ("head = program // n_blocks % n_heads", "head = program % n_heads"),
        ("batch = program // n_blocks // n_heads", "batch = program // n_blocks"),
        ("return block, batch.to(tl.int64), head.to(tl.int64)", "return block, batch, head"),
        ("tl.arange(0, BLOCK).to(tl.int64), tl", "tl.arange(0, BLOCK), tl"),
        ("tl.arange(0, BLOCK_E).to(tl.int64)", "tl.arange(0, BLOCK_E)"),
        ("base + batch * strides[0]", "base + batch * strides[1]"),
        ("head * strides[1]", "head * strides[2]"),
        ("rows[:, None] * strides[2]", "rows[:, None] * strides[3]"),
        ("columns[None, :] * strides[3]", "columns[None, :]"),
        (
            "at = tile + tl.cast(first_row, tl.int64) * strides[2]\n    if",
            "at = tile + first_row * strides[2]\n    if",
        ),
        (
            "at = tile + tl.cast(first_row, tl.int64) * strides[2]\n    if",
            "at = tile + tl.cast(first_row, tl.int64) * strides[3]\n    if",
        ),
        (
            "at = tile + tl.cast(first_row, tl.int64) * strides[2]\n    tl.store",
            "at = tile + first_row\n    tl.store",
        ),
        ("if CHECK_ROWS or tile.shape[1] > E:", "if CHECK_ROWS:"),
        ("if CHECK_ROWS or tile.shape[1] > E:", "if tile.shape[1] > E:"),
        ("n_rows, E, CHECK_ROWS), other=0.0)", "n_rows, E, CHECK_ROWS), other=1.0)"),
        ("n_rows, E, CHECK_ROWS), other=0.0)", "n_rows, E, False), other=0.0)"),
        ("inside(tile, first_row, n_rows, E, True))", "inside(tile, first_row, n_rows, E, False))"),
        ("(tl.arange(0, tile.shape[1]) < E)", "(tl.arange(0, tile.shape[1]) <= E)"),
        ("tile.shape[0]) < n_rows)", "tile.shape[0]) <= n_rows)"),
        ("first_row + tl.arange(0, tile.shape[0]) <", "tl.arange(0, tile.shape[0]) <"),
        ("seen = keys < S", "seen = keys <= S"),
        ("distance = queries + (S - T) - keys", "distance = queries - keys"),
        ("seen = seen & (distance >= 0)", "seen = seen & (distance > 0)"),
        ("seen = seen & (distance >= 0)", "seen = seen & (distance >= -1)"),
        ("seen = seen & (distance < window)", "seen = seen & (distance <= window)"),
        ("S // BLOCK_S * BLOCK_S, S\n", "S // BLOCK_S * BLOCK_S, S // BLOCK_S * BLOCK_S\n"),
        ("S // BLOCK_S * BLOCK_S, S\n", "tl.cdiv(S, BLOCK_S) * BLOCK_S, S\n"),
        ("lowest = first_query + S - T", "lowest = first_query"),
        ("lowest = first_query + S - T", "lowest = first_query + BLOCK_T + S - T"),
        ("highest = tl.minimum(first_query + BLOCK_T, T) - 1 + S - T", "highest = first_query + S - T"),
        ("stop = tl.maximum(highest + 1, 0)", "stop = tl.maximum(highest, 0)"),
        ("whole_to = tl.maximum(lowest + 1, 0) // BLOCK_S", "whole_to = tl.maximum(highest + 1, 0) // BLOCK_S"),
        ("tl.maximum(lowest - window + 1, 0) // BLOCK_S", "tl.maximum(lowest - window + 1 + BLOCK_S, 0) // BLOCK_S"),
        ("tl.cdiv(tl.maximum(highest - window + 1, 0)", "tl.cdiv(tl.maximum(lowest - window + 1, 0)"),
        ("T // BLOCK_T * BLOCK_T, T\n", "T // BLOCK_T * BLOCK_T, T // BLOCK_T * BLOCK_T\n"),
        ("T // BLOCK_T * BLOCK_T, T\n", "tl.cdiv(T, BLOCK_T) * BLOCK_T, T\n"),
        ("lowest = first_key + T - S", "lowest = first_key"),
        ("highest = tl.minimum(first_key + BLOCK_S, S) - 1 + T - S", "highest = first_key + T - S"),
        ("start = tl.maximum(lowest, 0) // BLOCK_T", "start = tl.maximum(lowest + BLOCK_T, 0) // BLOCK_T"),
        ("tl.cdiv(tl.maximum(highest, 0), BLOCK_T)", "tl.cdiv(tl.maximum(lowest, 0), BLOCK_T)"),
        ("tl.minimum(highest + window, T), 0)\n", "tl.minimum(lowest + window, T), 0)\n"),
        ("tl.minimum(lowest + window, T), 0) // BLOCK_T", "tl.minimum(highest + window, T), 0) // BLOCK_T"),
    ],
    "flash_forward": [
        ('m = tl.full([BLOCK_T], float("-inf"), wide)', "m = tl.zeros([BLOCK_T], wide)"),
        ("* scale_log2\n", "* scale_log2 * LN_2\n"),
        ("if part != WHOLE:\n                s =", "if part == WHOLE:\n                s ="),
        ('window, CAUSAL, WINDOWED), z, float("-inf"))', "window, CAUSAL, WINDOWED), z, -100.0)"),
        ('tl.where(m_new == float("-inf"), 0, m_new) if part != WHOLE else m_new', "m_new"),
        ("m_new = tl.maximum(m, tl.max(z, 1))", "m_new = tl.max(z, 1)"),
        ("p = tl.exp2(z - shift[:, None])", "p = tl.exp2(z - tl.max(shift, 0))"),
        ("shrink = tl.exp2(m - shift)", "shrink = tl.exp2(shift - m)"),
        ("v, o * shrink[:, None], input", "v, o, input"),
        ("l = l * shrink + tl.sum(p, 1)", "l = l + tl.sum(p, 1)"),
        ("l = l * shrink + tl.sum(p, 1)", "l = l * shrink + tl.sum(p, 1) - tl.min(p, 1)"),
        ("            m = m_new\n", ""),
        ("o = o / tl.where(l == 0, 1, l)[:, None]", "o = o / l[:, None]"),
        ("o = o / tl.where(l == 0, 1, l)[:, None]", "o = o / tl.where(l == 0, 1, m)[:, None]"),
        ("(m + tl.log2(l)) * LN_2", "m + tl.log2(l)"),
        ("(m + tl.log2(l)) * LN_2", "m * LN_2"),
        ("lse_BHT + (batch * H + head) * T + t", "lse_BHT + (batch + head) * T + t"),
        ("* LN_2, mask=t < T)", "* LN_2)"),
        ('tl.trans(k), input_precision="ieee")', 'tl.trans(k), input_precision="tf32")'),
        ('shrink[:, None], input_precision="ieee")', 'shrink[:, None], input_precision="tf32")'),
        ("k_tile = first_tile(k_BGSE, batch, head // GROUP", "k_tile = first_tile(k_BGSE, batch, head % GROUP"),
        ("v_tile = first_tile(v_BGSE, batch, head // GROUP", "v_tile = first_tile(v_BGSE, batch, head"),
        ("v = load_tile(v_tile, first_key, S, v_strides", "v = load_tile(v_tile, first_key, S, k_strides"),
        ("first_query, T, o_strides, E, o)", "first_query, T, q_strides, E, o)"),
    ],
    "flash_backward": [
        ("tl.sum(o * do, 1) - dlse)", "tl.sum(o * do, 1) + dlse)"),
        ("tl.sum(o * do, 1) - dlse)", "tl.sum(o * do, 1))"),
        ('tl.where(lse == float("-inf"), 0.0, tl.sum(o * do, 1) - dlse)', "tl.sum(o * do, 1) - dlse"),
        ("t.to(tl.int64) * dlse_strides[2]", "t"),
        ("dv = tl.dot(p.to(do.dtype), do, dv", "dv = tl.dot(p.to(do.dtype), do, dv * 0.5"),
        ("dv = tl.dot(p.to(do.dtype), do, dv, input", "dv = tl.dot(p.to(do.dtype), q, dv, input"),
        ("- d[None, :])", "- 0 * d[None, :])"),
        ("- d[:, None])", "- 0 * d[:, None])"),
        ("dk = tl.dot(ds.to(q.dtype), q, dk", "dk = tl.dot(p.to(q.dtype), q, dk"),
        ("E, dk * scale)", "E, dk)"),
        ("E, dq * scale)", "E, dq * scale_log2)"),
        ("for member in range(GROUP)", "for member in range(1)"),
        ("head = group * GROUP + member", "head = group + member"),
        ("row = (batch * G * GROUP + head) * T + t", "row = (batch * G + head) * T + t"),
        ("window, CAUSAL, WINDOWED), p, 0.0)\n            ds", "window, CAUSAL, WINDOWED), p, 1e-3)\n            ds"),
        ("visible(t[None, :], s[:, None], T, S", "visible(t[None, :], s[:, None], S, T"),
        ("scale_log2 - lse_log2[:, None]", "scale_log2 - tl.max(lse_log2, 0)"),
        ("mask=t < T, other=0.0) * LOG2_E\n    d =", "mask=t < T, other=0.0)\n    d ="),
        ("dv_strides, E, dv)", "dv_strides, E, dk)"),
    ],
    "launches": [
        ('"GROUP": q.shape[1] // k.shape[1]', '"GROUP": 1'),
        ('"CAUSAL": causal', '"CAUSAL": True'),
        ('"WINDOWED": 0 < window < k.shape[2]', '"WINDOWED": 1 < window < k.shape[2]'),
        ('"WINDOWED": 0 < window < k.shape[2]', '"WINDOWED": 0 <= window < k.shape[2]'),
        ("max(16, triton.next_power_of_2(x.shape[-1]))", "triton.next_power_of_2(x.shape[-1])"),
        ("triton.cdiv(rows, block)", "max(1, rows // block)"),
        ("keys_values_kernel[_grid(k, tiles.block_s)]", "keys_values_kernel[_grid(q, tiles.block_s)]"),
        ("window, scale * LOG2_E)", "window, scale)"),
        ("LOG2_E)\n    with torch.cuda.device_of(q):\n        q", "1)\n    with torch.cuda.device_of(q):\n        q"),
        ("LOG2_E)\n    with torch.cuda.device_of(q):\n        k", "1)\n    with torch.cuda.device_of(q):\n        k"),
    ],
    "fused_attention": [
        ("1 / math.sqrt(q.shape[-1]) if", "1 / q.shape[-1] if"),
        ("dtype=torch.promote_types(x.dtype, torch.float32)", "dtype=x.dtype"),
        ("return *flash_backward(do, dlse, *ctx", "return *flash_backward(do, 0 * dlse, *ctx"),
        ("return dq, dk, dv", "return dq, dv, dk"),
    ],
    "head_tiles": [
        ("weight_VD + v.to(tl.int64)[:, None] * D + d", "weight_VD + v.to(tl.int64)[:, None] * (D + 1) + d"),
        ("inside = d[None, :] < D - first", "inside = d[None, :] < D"),
        ("inside = d[None, :] < D - first", "inside = d[None, :] <= D - first"),
        ("tl.load(x_tile + first, mask=(r < R)", "tl.load(x_tile + first, mask=(r < R - 1)"),
        ("mask=(v < V)[:, None] & inside", "mask=(v < V - 1)[:, None] & inside"),
        ("tl.load(x_tile + first, mask", "tl.load(x_tile, mask"),
        ("tl.load(weight_tile + first, mask", "tl.load(weight_tile, mask"),
        ('tl.trans(weight), z, input_precision="ieee")', 'tl.trans(weight), z, input_precision="tf32")'),
        ("tl.trans(weight), z, input", "tl.trans(weight), input"),
        ("tile = program // n_blocks", "tile = program % n_blocks"),
        ("return program % n_blocks * BLOCK_R", "return program // n_blocks * BLOCK_R"),
        ("tile, tile * BLOCK_V", "tile, tile * BLOCK_R"),
        ("certain + everyone, everyone)", "certain, everyone)"),
        ("certain + everyone, everyone)", "certain + everyone, 0.0)"),
        ("tl.where((v < V)[None, :], target_share", "tl.where((v < V - 1)[None, :], target_share"),
        ('tl.where((v < V)[None, :], z, float("-inf"))', 'tl.where((v <= V)[None, :], z, float("-inf"))'),
        ('tl.where((v < V)[None, :], z, float("-inf"))', "tl.where((v < V)[None, :], z, 0.0)"),
        ("m = tl.max(z, 1)", "m = tl.zeros([BLOCK_R], wide)"),
        ("lse = m + tl.log(", "lse = tl.log("),
        ("lse = m + tl.log(", "lse = m + tl.log2("),
        ("tl.exp(z - m[:, None])", "tl.exp2(z - m[:, None])"),
        ("at = tile.to(tl.int64) * R + r", "at = tile.to(tl.int64) * V + r"),
        ("tl.store(lse_PR + at, lse, mask=r < R)", "tl.store(lse_PR + at, lse)"),
        ("tl.store(true_PR + at, true.to(wide), mask=r < R)", "tl.store(true_PR + at, true.to(wide), mask=r <= R)"),
        ("tl.exp(z - lse[:, None]) - target_share", "tl.exp(z - lse[:, None]) + target_share"),
        ("target_share(v + before, target", "target_share(v, target"),
        ("tl.where((target >= 0)[:, None], g, 0.0)", "g"),
        ("tl.where((target >= 0)[:, None], g, 0.0)", "tl.where((target > 0)[:, None], g, 0.0)"),
        ("g_RC + r.to(tl.int64)[:, None] * C", "g_RC + r.to(tl.int64)[:, None] * V"),
        ("element_ty), mask=(r < R)[:, None])", "element_ty), mask=(r <= R)[:, None])"),
        ("i.to(tl.int64)[:, None] * a_strides[0]", "i.to(tl.int64)[:, None] * a_strides[1]"),
        ("passed * a_strides[1], mask", "passed, mask"),
        ("tl.load(b_tile + passed * K", "tl.load(b_tile + passed * BLOCK_K"),
        ("(i < I)[:, None] & (j < J - first)[None, :], other", "(i < I)[:, None] & (j < J)[None, :], other"),
        ("(j < J - first)[:, None] & (k < K)[None, :]", "(k < K)[None, :] & (j[:, None] >= 0)"),
        ('total = tl.dot(a, b, total, input_precision="ieee")', 'total = tl.dot(a, b, total, input_precision="tf32")'),
        ("    total *= tl.load(scale_S)\n", ""),
        ("    if ADDED:", "    if not ADDED:"),
        ("out_IK + i.to(tl.int64)[:, None] * K + k", "out_IK + i.to(tl.int64)[:, None] * BLOCK_K + k"),
        ("(i < I)[:, None] & (k < K)[None, :]\n    if", "(i < I)[:, None] & (k <= K)[None, :]\n    if"),
    ],
    "fused_cross_entropy": [
        ("targets == ignore_index, -1)", "targets == ignore_index, 0)"),
        ("triton.cdiv(vocab, tiles.columns), n_rows)", "max(1, vocab // tiles.columns), n_rows)"),
        ("lse = parts[0].logsumexp(0)", "lse = parts[0].amax(0)"),
        ("torch.where(targets >= 0, lse - parts[1].sum(0), 0)", "torch.where(targets > 0, lse - parts[1].sum(0), 0)"),
        ("lse - parts[1].sum(0)", "lse - parts[1][0]"),
        ("part = weight[first : first + n_tokens]", "part = weight[first + 1 : first + 1 + n_tokens]"),
        ("width, g.shape[1], first),", "width, g.shape[1], 0),"),
        ("part, dx, d_total, tiles, added=True)", "part, dx, d_total, tiles, added=False)"),
        ("dweight[first : first + n_tokens], d_total", "dweight[:n_tokens], d_total"),
        ("return dx.to(x.dtype), dweight", "return dx.to(x.dtype), 2 * dweight"),
        ("found = head_loss_backward(d_total,", "found = head_loss_backward(torch.ones_like(d_total),"),
        ("smoothing / vocab),\n            *(tiles", "smoothing),\n            *(tiles"),
        ("triton.cdiv(i, tiles.rows) * triton", "max(1, i // tiles.rows) * triton"),
        ("triton.cdiv(n_rows, tiles.rows) * triton.cdiv(n_t", "(n_rows // tiles.rows) * triton.cdiv(n_t"),
    ],
}  # fmt: skip
MUTANTS = [KernelMutant(file, *change) for file, changes in TABLE.items() for change in changes]

# Quick, and between them everything that a line can do: every mask, ragged ends, shared heads, padded widths, …
CASES = [
    Case(5, 7, torch.float16, width=8, scale=1.0, heads=(2, 1)),
    Case(21, 37, causal=False, batch=2, layouts=LAYOUTS[3], blocks=(16, 16), largest_score=20.0, seed=2),
    Case(33, 47, heads=(4, 2), width=24, layouts=LAYOUTS[1], blocks=(16, 32), seed=1),
    Case(33, 21, heads=(2, 1), window=10, layouts=LAYOUTS[2], blocks=(16, 16), seed=3),
    Case(49, 49, window=1, layouts=LAYOUTS[4], blocks=(32, 16), seed=4),
    Case(90, 90, window=50, width=16, blocks=(16, 16), seed=5),
    Case(40, 40, torch.bfloat16, blocks=(16, 16), batch=2, heads=(4, 2), layouts=LAYOUTS[0], seed=6),
]
REST = [check_nothing_seen, check_low_scores, check_far_apart]
CHECKS: list[Callable[[], object]] = [*(lambda case=case: check(case) for case in CASES), *REST]


# The same for the kernels of the loss.
HEAD_CASES = [
    HeadCase(5, 24, 37),
    HeadCase(33, 40, 101, smoothing=0.2, part=33 * 32, seed=1),
    HeadCase(33, 5, 70, tiles=(32, 16, 16), largest_logit=200.0, seed=2),
    HeadCase(50, 24, 90, torch.bfloat16, smoothing=0.1, tiles=(16, 16, 16), part=50 * 32, seed=3),
]
HEAD_CHECKS = [*(lambda case=case: head_cases.check(case) for case in HEAD_CASES), check_frozen]
HEAD_FILES = ("head_tiles", "fused_cross_entropy")


def put_in_place(mutant: KernelMutant, folder: Path) -> None:
    """Have the checks use a changed copy of the kernels; only for a process of its own."""
    name = f"changed_kernels_{folder.name}"
    package = folder / name
    shutil.copytree(FOLDER, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / f"{mutant.file}.py").write_text(mutant.changed(), encoding="utf-8")
    sys.path.insert(0, str(folder))
    flop_registry.clear()  # the copy brings operators of the same names
    attention_cases.kernels = importlib.import_module(f"{name}.fused_attention")
    head_cases.kernels = importlib.import_module(f"{name}.fused_cross_entropy")


def is_noticed(mutant: KernelMutant) -> bool:
    """Whether a check fails with the mutant in place; a crash is noticed, too."""
    mutant.changed()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != SURVIVED
    try:
        with TemporaryDirectory() as folder:
            put_in_place(mutant, Path(folder))
            for run in HEAD_CHECKS if mutant.file in HEAD_FILES else CHECKS:
                run()
        os._exit(SURVIVED)
    except BaseException:
        os._exit(0)
