"""Where a token is in its row: the formulas of the schemes, and the modules that a model is built from."""

from minigpt.model.positions.formulas import (
    ROTARY_LAYOUTS,
    Rotation,
    alibi_bias,
    alibi_slopes,
    rotary,
    rotary_angles,
    rotate_half,
    rotate_interleaved,
    sinusoidal_positions,
)

__all__ = [
    "ROTARY_LAYOUTS",
    "Rotation",
    "alibi_bias",
    "alibi_slopes",
    "rotary",
    "rotary_angles",
    "rotate_half",
    "rotate_interleaved",
    "sinusoidal_positions",
]
