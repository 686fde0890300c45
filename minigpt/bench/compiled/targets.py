"""The GPUs that kernels are compiled for, and how fast their units are.

Source: rates: NVIDIA, CUDA C++ Programming Guide, "Throughput of Native Arithmetic Instructions", and the
architectures' white papers; AMD, CDNA 3 white paper.
"""

from typing import NamedTuple

from triton.backends.compiler import GPUTarget


class Target(NamedTuple):
    """A kind of GPU; rates are for one of its multiprocessors and one clock.

    Attributes:
        gpu: as Triton names it.
        program_shared: bytes of shared memory that a program may have.
        shared: bytes of shared memory for all programs together.
        warps: groups of threads that fit.
        registers: for all threads together, 4 bytes each.
        tensor_flops: operations of 16-bit products, sums in float32, dense.
        float_lanes: float32 results.
        alu_lanes: results of comparisons, conversions and integer arithmetic.
        special_lanes: exponentials.
    """

    gpu: GPUTarget
    program_shared: int
    shared: int
    warps: int
    registers: int
    tensor_flops: int
    float_lanes: int
    alu_lanes: int
    special_lanes: int


KB = 1024
TARGETS = {
    "sm_80": Target(GPUTarget("cuda", 80, 32), 163 * KB, 164 * KB, 64, 65536, 2048, 64, 64, 16),
    "sm_86": Target(GPUTarget("cuda", 86, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "sm_89": Target(GPUTarget("cuda", 89, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "sm_90": Target(GPUTarget("cuda", 90, 32), 227 * KB, 228 * KB, 64, 65536, 4096, 128, 64, 16),
    "sm_100": Target(GPUTarget("cuda", 100, 32), 227 * KB, 228 * KB, 64, 65536, 8192, 128, 64, 16),
    "sm_120": Target(GPUTarget("cuda", 120, 32), 99 * KB, 100 * KB, 48, 65536, 1024, 128, 64, 16),
    "gfx942": Target(GPUTarget("hip", "gfx942", 64), 64 * KB, 64 * KB, 32, 131072, 2048, 128, 64, 16),
}
ISSUED = 128  # threads whose instructions a multiprocessor takes up in a clock: four schedulers, 32 threads each
SHARED_BYTES = 128  # that a multiprocessor moves in a clock
