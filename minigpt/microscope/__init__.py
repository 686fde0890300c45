"""Look inside a model: its activations by name, what happens when they are replaced, and what they say.

Nothing here is a second model. Hooks read and replace what a :class:`minigpt.GPT` computes, own or pretrained, and only
inside a ``with`` block.
"""

from minigpt.microscope.attribution import Attribution, attribute, attributed
from minigpt.microscope.composition import (
    CompositionScores,
    composition_scores,
    k_composition,
    q_composition,
    v_composition,
)
from minigpt.microscope.divergence import Divergence, first_divergence
from minigpt.microscope.examples import NeuronContext, cosine_similarity, nearest_tokens, top_contexts
from minigpt.microscope.heads import (
    HeadScores,
    duplicate_token_score,
    head_scores,
    in_context_gain,
    induction_score,
    previous_token_score,
    repeated_tokens,
    token_losses,
)
from minigpt.microscope.interventions import ABLATIONS, Replacement, ablate, run_with
from minigpt.microscope.lens import LogitLens, lens_logits, logit_lens, residual_norms
from minigpt.microscope.names import activation_names
from minigpt.microscope.patching import Metric, Patching, log_probability, logit_difference, patch, recovery
from minigpt.microscope.path_patching import Receiver, patch_path
from minigpt.microscope.record import Activations, expert_usage, look
from minigpt.microscope.taps import tapped

__all__ = [
    "ABLATIONS",
    "Activations",
    "Attribution",
    "CompositionScores",
    "Divergence",
    "HeadScores",
    "LogitLens",
    "Metric",
    "NeuronContext",
    "Patching",
    "Receiver",
    "Replacement",
    "ablate",
    "activation_names",
    "attribute",
    "attributed",
    "composition_scores",
    "cosine_similarity",
    "duplicate_token_score",
    "expert_usage",
    "first_divergence",
    "head_scores",
    "in_context_gain",
    "induction_score",
    "k_composition",
    "lens_logits",
    "log_probability",
    "logit_difference",
    "logit_lens",
    "look",
    "nearest_tokens",
    "patch",
    "patch_path",
    "previous_token_score",
    "q_composition",
    "recovery",
    "repeated_tokens",
    "residual_norms",
    "run_with",
    "tapped",
    "token_losses",
    "top_contexts",
    "v_composition",
]
