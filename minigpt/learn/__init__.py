"""For the learner's own hands: exercises and their formulas, a tape of gradients, a kernel's tiles, a bug zoo."""

from minigpt.learn import autograd, zoo
from minigpt.learn.decoding_step import cached_step
from minigpt.learn.low_rank import low_rank_linear
from minigpt.learn.micro_batches import combined_gradient
from minigpt.learn.neuron import neuron_loss
from minigpt.learn.running_softmax import softmax_step
from minigpt.learn.tile_gradients import tiled_gradients
from minigpt.learn.tiles import Tile, TiledAttention, online_softmax, tiled_attention

__all__ = [
    "Tile",
    "TiledAttention",
    "autograd",
    "cached_step",
    "combined_gradient",
    "low_rank_linear",
    "neuron_loss",
    "online_softmax",
    "softmax_step",
    "tiled_attention",
    "tiled_gradients",
    "zoo",
]
