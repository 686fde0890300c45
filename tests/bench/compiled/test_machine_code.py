"""minigpt/bench/compiled/machine_code.py on listings that are short enough to read."""

import pytest

from minigpt.bench.compiled.machine_code import kind, loops, main_loop, product_flops, read, shared_bytes, spills

# A loop over tiles (.L_x_2) in a loop over heads (.L_x_1). The tiles wait behind the end of the program (.L_x_4), whose
# jump back looks like a loop around everything.
NVIDIA = """
.text.kernel:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/                   STL [R1], R2 ;
.L_x_1:
        /*0020*/                   LDL R2, [R1] ;
.L_x_2:
        /*0030*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR4], R3 ;
        /*0040*/              @!P0 BRA `(.L_x_4) ;
.L_x_3:
        /*0050*/                   LDSM.16.M88.4 R8, [R7] ;
        /*0060*/                   HMMA.16816.F32.BF16 R24, R8, R12, R24 ;
        /*0070*/                   HMMA.16816.F32.BF16 R28, R8, R14, R28 ;
        /*0080*/                   MUFU.EX2 R24, R24 ;
        /*0090*/               @P1 BRA `(.L_x_2) ;
        /*00a0*/                   BRA.U UP0, `(.L_x_1) ;
        /*00b0*/                   STG.E [R4], R24 ;
        /*00c0*/                   EXIT ;
.L_x_4:
        /*00d0*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR4], R3 ;
        /*00e0*/              @!P0 BRA `(.L_x_4) ;
        /*00f0*/                   BRA `(.L_x_3) ;
.L_x_5:
        /*0100*/                   BRA `(.L_x_5) ;
"""
AMD = """
	.amdgcn_target "amdgcn-amd-amdhsa--gfx942"
kernel:
	s_load_dwordx2 s[0:1], s[4:5], 0x0
	scratch_store_dword off, v1, s0
.LBB0_1:                                ; =>This Inner Loop Header: Depth=1
	.loc	1 48 9
	ds_read_b128 v[0:3], v9
	v_mfma_f32_32x32x8_bf16 v[16:31], v[4:5], v[6:7], v[16:31]
	v_exp_f32_e32 v8, v8
	s_waitcnt lgkmcnt(0)
	s_cbranch_scc1 .LBB0_1
	s_endpgm
"""


def opcodes(code, places):
    return [code[place].opcode for place in sorted(places) if code[place].opcode]


def test_loops_are_found_where_the_code_goes_back_not_where_the_lines_do():
    code = read(NVIDIA)
    waiting, tiles, heads = sorted((opcodes(code, loop) for loop in loops(code)), key=len)
    trial = "SYNCS.PHASECHK.TRANS64.TRYWAIT"
    assert waiting == [trial, "BRA"]
    body = [trial, "BRA", "LDSM.16.M88.4", "HMMA.16816.F32.BF16", "HMMA.16816.F32.BF16", "MUFU.EX2", "BRA"]
    assert tiles == [*body, *waiting, "BRA"]
    assert heads == ["LDL", *body, "BRA.U", *waiting, "BRA"]


def test_spills_in_the_loop_over_tiles_are_told_from_those_outside():
    assert spills(read(NVIDIA)) == (2, 0)  # once a program, and once a head
    assert spills(read(NVIDIA.replace("MUFU.EX2", "STL"))) == (3, 1)
    assert spills(read(AMD)) == (1, 0)
    assert spills(read(AMD.replace("ds_read_b128", "scratch_load_dword"))) == (2, 1)


def test_the_main_loop_is_the_one_with_products():
    mix = main_loop(read(NVIDIA))
    assert mix["HMMA.16816.F32.BF16"] == 2 and mix["LDL"] == 0
    assert main_loop(read(AMD)) == {
        "ds_read_b128": 1, "v_mfma_f32_32x32x8_bf16": 1, "v_exp_f32_e32": 1, "s_waitcnt": 1, "s_cbranch_scc1": 1,
    }  # fmt: skip


def test_of_several_loops_it_is_the_shortest_with_products_not_one_that_only_loads():
    masked = (
        ".LBB0_2:\n\tds_read_b128 v[0:3], v9\n\tv_mfma_f32_32x32x8_bf16 v[0:3]\n\tv_cndmask_b32 v8\n\ts_add_i32 s1\n"
    )
    copying = ".LBB0_3:\n\tds_read_b128 v[0:3], v9\n\ts_cbranch_scc1 .LBB0_3\n"
    more = AMD.replace("\ts_endpgm", f"{masked}\ts_nop 0\n\ts_cbranch_scc1 .LBB0_2\n{copying}\ts_endpgm")
    assert len(loops(read(more))) == 3
    assert main_loop(read(more)) == main_loop(read(AMD))


def test_a_jump_on_a_condition_in_its_operands_may_be_passed_by():
    first, second = read("        /*0000*/  BRA.U !UP0, `(.L_x_1) ;\n        /*0010*/  BRA `(.L_x_1) ;")
    assert (first.label, first.conditional, second.conditional) == (".L_x_1", True, False)


def test_without_products_it_is_the_one_that_loads_and_without_loops_there_is_none():
    assert main_loop(read(NVIDIA.replace("HMMA", "FFMA")))["LDSM.16.M88.4"] == 1
    assert main_loop(read(NVIDIA.replace("@P1 BRA", "@P1 FADD").replace("BRA.U UP0", "FADD"))) == {}


@pytest.mark.parametrize(
    ("expected", "names"),
    {
        "tensor": "HMMA.16816.F32 HGMMA.64x128x16.F32.BF16 UTCHMMA UTCQMMA v_mfma_f32_16x16x16_f16",
        "special": "MUFU.EX2 MUFU.RCP v_exp_f32_e32 v_rcp_f32_e32",
        "float": "FFMA FMUL FADD2 v_pk_fma_f32 v_mul_f32_e32",
        "load": "LDS.128 LDSM.16.M88.4 LDG.E LDGSTS.E.BYPASS.128 STS STG.E SHFL.BFLY LDTM.x16 ds_read_b128",
        "wait": "BAR.SYNC.DEFER_BLOCKING DEPBAR.LE LDGDEPBAR WARPGROUP.ARRIVE SYNCS.EXCH.64 s_waitcnt s_barrier",
        "uniform": "UMOV UIADD3 R2UR BRA s_add_i32 s_cbranch_scc1",
        "alu": "FMNMX F2FP.BF16.F32.PACK_AB ISETP.GT.AND IADD3 IMAD.MOV.U32 SEL LOP3.LUT v_perm_b32 v_max3_f32",
        "spill": "LDL STL.64 scratch_load_dword",
    }.items(),
)
def test_each_instruction_is_counted_as_what_it_is(expected, names):
    assert {name: kind(name) for name in names.split()} == dict.fromkeys(names.split(), expected)


def test_products_say_how_large_they_are():
    assert product_flops("HMMA.16816.F32.BF16") == 2 * 16 * 8 * 16
    assert 4 * product_flops("HGMMA.64x128x16.F32.BF16") == 2 * 64 * 128 * 16  # four warps share one
    assert product_flops("v_mfma_f32_32x32x8_bf16") == 2 * 32 * 32 * 8
    assert product_flops("UTCHMMA") is None


def test_bytes_to_and_from_shared_memory():
    names = [
        "LDSM.16.M88.4",
        "LDSM.16.M88",
        "LDS",
        "LDS.128",
        "LDGSTS.E.BYPASS.128",
        "STS.64",
        "SHFL.BFLY",
        "LDG.E.128",
    ]
    assert [shared_bytes(name, 32) for name in names] == [512, 128, 128, 512, 512, 256, 128, 0]
    assert [shared_bytes(n, 64) for n in ("ds_read_b128", "ds_write_b16", "ds_read2st64_b64")] == [1024, 256, 1024]


def test_a_spill_that_waits_behind_the_end_is_in_the_loop():
    moved = NVIDIA.replace("/*00f0*/                   BRA", "/*00f0*/ LDL R9, [R1] ;\n/*0100*/                   BRA")
    assert spills(read(moved)) == (3, 1)
