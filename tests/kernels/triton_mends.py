"""Mends for Triton's interpreter, which computes with the raw bits of bfloat16 and truncates where a GPU rounds.

Numpy has no bfloat16: the interpreter holds one as a uint16. Here such numbers go through float32 in arithmetic,
comparisons and products, and float32 becomes bfloat16 by rounding to the nearest, ties to even. Products of float32 in
tf32 are rounded to its 10 bits, and 16-bit products shorter than a GPU can do are refused. Kernels need no change.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import triton.language as tl
from triton._C.libtriton import ir
from triton.runtime import interpreter
from triton.runtime.interpreter import InterpreterBuilder, TensorHandle


def widen(bits: np.ndarray) -> np.ndarray:
    """bfloat16, as uint16, in float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def narrow(x: np.ndarray) -> np.ndarray:
    """float32 as the nearest bfloat16, ties to even, in a uint16."""
    return round_to(np.asarray(x, np.float32), 16).view(np.uint32).__rshift__(16).astype(np.uint16)


def round_to(x: np.ndarray, dropped: int) -> np.ndarray:
    """float32 with its last ``dropped`` bits rounded away; infinities and NaN stay what they are."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    half = np.uint32((1 << (dropped - 1)) - 1)
    rounded = (bits + half + ((bits >> dropped) & 1)) >> dropped << dropped
    return np.where(np.isnan(x), np.float32(np.nan), rounded.astype(np.uint32).view(np.float32))


def is_bfloat16(handle: TensorHandle) -> bool:
    return handle.dtype.scalar == tl.bfloat16


def wide(handle: TensorHandle) -> TensorHandle:
    return TensorHandle(widen(handle.data), tl.float32) if is_bfloat16(handle) else handle


@cache
def install() -> None:
    """Change the interpreter of this process, once."""
    cast, to_float = InterpreterBuilder.cast_impl, InterpreterBuilder.create_fp_to_fp
    binary, unary, dot = InterpreterBuilder.binary_op, InterpreterBuilder.unary_op, InterpreterBuilder.create_dot

    def cast_impl(self, src, dst_type):
        if dst_type.scalar == tl.bfloat16 and not is_bfloat16(src):
            return TensorHandle(narrow(src.data), tl.bfloat16)
        return cast(self, wide(src), dst_type) if dst_type.scalar != src.dtype.scalar else src

    def create_fp_to_fp(self, src, dst_type, rounding_mode):
        if tl.bfloat16 in (src.dtype.scalar, dst_type.scalar):
            return cast_impl(self, src, dst_type)
        return to_float(self, src, dst_type, rounding_mode)

    def binary_op(self, lhs, rhs, op):
        if not is_bfloat16(lhs):
            return binary(self, lhs, rhs, op)
        result = op(widen(lhs.data), widen(rhs.data))
        return TensorHandle(result, tl.int1) if result.dtype == np.bool_ else TensorHandle(narrow(result), tl.bfloat16)

    def unary_op(self, arg, op):
        return TensorHandle(narrow(op(widen(arg.data))), tl.bfloat16) if is_bfloat16(arg) else unary(self, arg, op)

    def create_dot(self, a, b, d, input_precision, max_num_imprecise_acc):
        if a.dtype.scalar.primitive_bitwidth == 16 and a.data.shape[-1] < 16:
            raise ValueError(f"a product of 16-bit numbers over {a.data.shape[-1]}; a GPU's is at least 16 long")
        a, b = wide(a), wide(b)
        if input_precision == ir.INPUT_PRECISION.TF32 and a.dtype.scalar == tl.float32:
            a, b = (TensorHandle(round_to(x.data, 13), tl.float32) for x in (a, b))
        return dot(self, a, b, d, input_precision, max_num_imprecise_acc)

    patch_once_a_launch()
    find_dtypes_once()
    skip_unused_overflow_checks()
    for function in (cast_impl, create_fp_to_fp, binary_op, unary_op, create_dot):
        setattr(InterpreterBuilder, function.__name__, function)


def patch_once_a_launch() -> None:
    """The interpreter wraps the language anew for each call of a function of a kernel: once a launch is enough."""
    patch, launch = interpreter._patch_lang, interpreter.GridExecutor.__call__
    patched = set()

    def patch_lang(function):
        if function.__module__ in patched:
            return None
        patched.add(function.__module__)
        return patch(function)

    def patched_launch(self, *args, **kwargs):
        patched.clear()
        return launch(self, *args, **kwargs)

    interpreter._patch_lang, interpreter.GridExecutor.__call__ = patch_lang, patched_launch


def find_dtypes_once() -> None:
    """The interpreter builds its whole table of dtypes whenever it looks one up."""
    look_up, found = interpreter._get_np_dtype, {}

    def np_dtype(dtype):
        element = dtype.element_ty if isinstance(dtype, tl.block_type) else dtype
        if element.name not in found:
            found[element.name] = look_up(element)
        return found[element.name]

    interpreter._get_np_dtype = np_dtype


def skip_unused_overflow_checks() -> None:
    """Whether sums of integers overflow takes a third of the interpreter's time, and is asserted in debug mode only."""
    builder = interpreter.interpreter_builder
    if not builder.options.debug:
        builder.options = replace(builder.options, sanitize_overflow=False)
