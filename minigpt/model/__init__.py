"""From token ids to logits and their loss: the formulas, the parts built from them, and the GPT they make."""

from minigpt.model.attention import (
    attention_weights,
    causal_attention,
    causal_mask,
    masked_attention,
    scaled_attention,
    self_attention,
)
from minigpt.model.backends import ATTENTION
from minigpt.model.block import CausalSelfAttention, PostNormBlock, PreNormBlock
from minigpt.model.cache import Cache
from minigpt.model.chunked_loss import chunked_next_token_loss
from minigpt.model.config import PRESETS, GPTConfig
from minigpt.model.context import NO_POSITIONS, Context
from minigpt.model.convolution import ShortConvolution, short_convolution
from minigpt.model.gpt import GPT
from minigpt.model.heads import grouped_query_attention, multi_head_attention, projected_attention
from minigpt.model.initialisation import INITIALISATIONS, initialise
from minigpt.model.loss import cross_entropy, cross_entropy_from_logits, next_token_loss, smoothed_cross_entropy
from minigpt.model.mlp import MLP, SwiGLU, gelu, gelu_tanh, relu_squared, silu
from minigpt.model.ngrams import Additive, KneserNey, NGram, NGramCounts, Smoothing
from minigpt.model.norms import LayerNorm, RMSNorm, layer_norm, rms_norm
from minigpt.model.pattern import Pattern
from minigpt.model.positions import Rotation, alibi_bias, alibi_slopes, rotary, rotary_angles, sinusoidal_positions
from minigpt.model.positions.schemes import POSITIONS
from minigpt.model.probabilities import log_softmax, log_sum_exp, softmax
from minigpt.model.roles import ROLES, roles_of

__all__ = [
    "ATTENTION",
    "GPT",
    "INITIALISATIONS",
    "MLP",
    "NO_POSITIONS",
    "POSITIONS",
    "PRESETS",
    "ROLES",
    "Additive",
    "Cache",
    "CausalSelfAttention",
    "Context",
    "GPTConfig",
    "KneserNey",
    "LayerNorm",
    "NGram",
    "NGramCounts",
    "Pattern",
    "PostNormBlock",
    "PreNormBlock",
    "RMSNorm",
    "Rotation",
    "ShortConvolution",
    "Smoothing",
    "SwiGLU",
    "alibi_bias",
    "alibi_slopes",
    "attention_weights",
    "causal_attention",
    "causal_mask",
    "chunked_next_token_loss",
    "cross_entropy",
    "cross_entropy_from_logits",
    "gelu",
    "gelu_tanh",
    "grouped_query_attention",
    "initialise",
    "layer_norm",
    "log_softmax",
    "log_sum_exp",
    "masked_attention",
    "multi_head_attention",
    "next_token_loss",
    "projected_attention",
    "relu_squared",
    "rms_norm",
    "roles_of",
    "rotary",
    "rotary_angles",
    "scaled_attention",
    "self_attention",
    "short_convolution",
    "silu",
    "sinusoidal_positions",
    "smoothed_cross_entropy",
    "softmax",
]
