"""For the learner's own hands: backpropagation from scratch, a zoo of training bugs, a fused kernel tile by tile."""

from minigpt.learn import autograd, zoo
from minigpt.learn.tile_gradients import tiled_gradients
from minigpt.learn.tiles import Tile, TiledAttention, online_softmax, tiled_attention

__all__ = ["Tile", "TiledAttention", "autograd", "online_softmax", "tiled_attention", "tiled_gradients", "zoo"]
