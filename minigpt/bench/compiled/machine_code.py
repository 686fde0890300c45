"""Machine code, read: its instructions, the loops they are in, and what each of them keeps busy.

NVIDIA's assembler translates further than Triton does, so its result is read back with ``nvdisasm``; AMD's code is read
as LLVM writes it. A loop is found as compilers define it: a jump back to a place that every way to the jump passes.
Waiting is often moved behind the end of a program, so the order of the lines says nothing.

Source: natural loops by dominators: Lowry & Medlock 1969; instruction names: NVIDIA's CUDA binary utilities, AMD's
CDNA 3 instruction set.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction, or a label that a jump may go to.

    Attributes:
        opcode: its name with all suffixes; empty for a label.
        label: the label's name, or the one that a jump goes to.
        conditional: whether the next instruction may follow although this one jumps or ends.
    """

    opcode: str
    label: str = ""
    conditional: bool = True


NVIDIA_LINE = re.compile(
    r"\s*(?:(?P<label>\.L\w+):|/\*[0-9a-f]{4,}\*/\s+\{?\s*(?P<guard>@!?\w+\s+)?(?P<opcode>[A-Z][\w.]*)(?P<rest>.*))"
)
AMD_LINE = re.compile(r"(?P<label>\.LBB\w+):|(?P<guard>\s+)(?P<opcode>[a-z]\w+)(?P<rest>.*)")
JUMP = re.compile(r"(BRA|CALL|s_c?branch)")
END = re.compile(r"(EXIT|RET|s_endpgm)")
ALWAYS = re.compile(r"(BRA|s_branch|EXIT|RET|s_endpgm)")

# What an instruction is for: the first pattern that its name begins with decides.
NVIDIA_KINDS = {
    "tensor": r"\w*MMA(?=\b|_)|HGMMA|UTC\w*MMA",
    "spill": r"LDL|STL",
    "special": r"MUFU",
    "float": r"FFMA|FMUL|FADD|HFMA2|HMUL2|HADD2",
    "load": r"LD(?!G?DEPBAR)|ST|SHFL|UTMA|UBLKCP|ULDC|RED|ATOM|S2U?R|LDCU",
    "wait": r"BAR|U?DEPBAR|LDGDEPBAR|WARPGROUP|SYNCS|MEMBAR|FENCE|WARPSYNC|BSSY|BSYNC|NOP|UTCBAR|ELECT|CCTL|YIELD",
    "uniform": r"U|R2UR|BRA|CALL|EXIT|RET",
    "alu": r"",
}
AMD_KINDS = {
    "tensor": r"v_mfma|v_smfmac",
    "spill": r"scratch_",
    "special": r"v_(exp|log|rcp|rsq|sqrt|sin|cos)_",
    "float": r"v_(pk_)?(fma|fmac|mul|add|sub|mac)_f",
    "load": r"ds_|global_|buffer_|flat_|s_load",
    "wait": r"s_(waitcnt|barrier|nop|sleep|setprio)",
    "uniform": r"s_",
    "alu": r"",
}


def read(text: str) -> list[Instruction]:
    """The instructions of a listing by ``nvdisasm -c``, or of AMD's assembly."""
    line = AMD_LINE if ".amdgcn_target" in text else NVIDIA_LINE
    return [_instruction(found) for found in map(line.match, text.splitlines()) if found]


def _instruction(found: re.Match[str]) -> Instruction:
    if found["label"]:
        return Instruction("", found["label"])
    opcode, rest = found["opcode"], found["rest"]
    target = re.search(r"\.L\w+", rest) if JUMP.match(opcode) else None
    guarded = bool((found["guard"] or "").strip()) or bool(re.search(r"\bU?P\d", rest))
    return Instruction(opcode, target[0] if target else "", guarded or not ALWAYS.match(opcode))


def loops(code: list[Instruction]) -> list[set[int]]:
    """The loops, each as the places in ``code`` that it visits."""
    after = list(_successors(code))
    before: list[list[int]] = [[] for _ in code]
    for place in (reached := _reachable(after)):
        for follower in after[place]:
            before[follower].append(place)
    dominators = _dominators(before, reached)
    found: dict[int, set[int]] = {}
    for place in reached:
        for head in after[place]:
            if dominators[place] >> head & 1:
                found.setdefault(head, {head}).update(_body(place, head, before))
    return list(found.values())


def _successors(code: list[Instruction]) -> Iterator[list[int]]:
    labels = {instruction.label: place for place, instruction in enumerate(code) if not instruction.opcode}
    for place, (opcode, label, conditional) in enumerate(code):
        target = [labels[label]] if opcode and label in labels else []
        yield target + [place + 1] * (conditional and place + 1 < len(code))


def _reachable(after: list[list[int]]) -> list[int]:
    seen, ahead = set(), [0] if after else []
    while ahead:
        if (place := ahead.pop()) not in seen:
            seen.add(place)
            ahead += after[place]
    return sorted(seen)


def _dominators(before: list[list[int]], reached: list[int]) -> list[int]:
    """For each place, a bit for every place that all ways to it pass."""
    everything = (1 << len(before)) - 1
    dominators = [everything] * len(before)
    changed = True
    while changed:
        changed = False
        for place in reached:
            common = everything if before[place] and place else 0
            for earlier in before[place]:
                common &= dominators[earlier]
            common |= 1 << place
            changed |= common != dominators[place]
            dominators[place] = common
    return dominators


def _body(end: int, head: int, before: list[list[int]]) -> set[int]:
    """All from which the jump at ``end`` can be reached without passing the loop's head."""
    body, ahead = {head}, [end]
    while ahead:
        if (place := ahead.pop()) not in body:
            body.add(place)
            ahead += before[place]
    return body


def kind(opcode: str) -> str:
    """What an instruction is for: "tensor", "special", "float", "alu", "load", "wait", "uniform" or "spill"."""
    kinds = AMD_KINDS if opcode[:1].islower() else NVIDIA_KINDS
    return next(name for name, pattern in kinds.items() if re.match(pattern, opcode))


def work_loops(code: list[Instruction]) -> list[set[int]]:
    """The loops that do the work, a tile or a row in each pass.

    They have matrix products in them, or loads where no loop has products, and no such loop inside.
    """
    found = loops(code)
    for work in ("tensor", "load"):
        working = [loop for loop in found if any(_is(code[place], work) for place in loop)]
        if inner := [loop for loop in working if not any(other < loop for other in working)]:
            return inner
    return []


def spills(code: list[Instruction]) -> tuple[int, int]:
    """How many instructions move spilled registers: all, and those in the loops that do the work."""
    spilled = {place for place, instruction in enumerate(code) if _is(instruction, "spill")}
    return len(spilled), len(spilled & set().union(*work_loops(code)))


def main_loop(code: list[Instruction]) -> Counter[str]:
    """How often each instruction occurs in the shortest of the loops that do the work; empty if there is no loop."""
    shortest = min(work_loops(code), key=len, default=set())
    return Counter(code[place].opcode for place in shortest if code[place].opcode)


def _is(instruction: Instruction, what: str) -> bool:
    return bool(instruction.opcode) and kind(instruction.opcode) == what


def product_flops(opcode: str) -> int | None:
    """Floating-point operations of one matrix product for one warp; ``None`` where the name does not say."""
    if found := re.match(r"HMMA\.(16)(8)(\d+)", opcode):  # 16816: 16 × 8 over 16
        rows, columns, depth = map(int, found.groups())
    elif found := re.match(r"HGMMA\.64x(\d+)x(\d+)", opcode):  # four warps together
        rows, columns, depth = 16, int(found[1]), int(found[2])
    elif found := re.match(r"v_mfma_f32_(\d+)x(\d+)x(\d+)", opcode):
        rows, columns, depth = map(int, found.groups())
    else:
        return None
    return 2 * rows * columns * depth


def shared_bytes(opcode: str, warp: int) -> int:
    """Bytes that an instruction of one warp moves between registers and shared memory, without conflicts."""
    if found := re.match(r"(?:LDSM|STSM)\.\w+\.\w+(?:\.(\d))?", opcode):
        return 128 * int(found[1] or 1)
    if found := re.match(r"(?:LDS|STS|LDGSTS)\b(?:.*?\.(32|64|128)\b)?", opcode):
        return warp * int(found[1] or 32) // 8
    if found := re.match(r"ds_(?:read|write)(2?)(?:st64)?_[bui](\d+)", opcode):
        return warp * max(32, int(found[2])) // 8 * (2 if found[1] else 1)
    return 128 if re.match(r"SHFL|ds_b?permute", opcode) else 0
