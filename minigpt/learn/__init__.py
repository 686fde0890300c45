"""For the learner's own hands: what a fused kernel does, one tile at a time, and the formulas of the exercises."""

from minigpt.learn.decoding_step import cached_step
from minigpt.learn.low_rank import low_rank_linear
from minigpt.learn.micro_batches import combined_gradient
from minigpt.learn.running_softmax import softmax_step
from minigpt.learn.tile_gradients import tiled_gradients
from minigpt.learn.tiles import Tile, TiledAttention, online_softmax, tiled_attention

__all__ = [
    "Tile",
    "TiledAttention",
    "cached_step",
    "combined_gradient",
    "low_rank_linear",
    "online_softmax",
    "softmax_step",
    "tiled_attention",
    "tiled_gradients",
]
