"""For the learner's own hands: backpropagation from scratch, and what a fused kernel does, one tile at a time."""

from minigpt.learn import autograd
from minigpt.learn.neuron import neuron_loss
from minigpt.learn.tile_gradients import tiled_gradients
from minigpt.learn.tiles import Tile, TiledAttention, online_softmax, tiled_attention

__all__ = ["Tile", "TiledAttention", "autograd", "neuron_loss", "online_softmax", "tiled_attention", "tiled_gradients"]
