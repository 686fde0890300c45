"""What training costs, predicted from the shape of the model alone: size, operations, memory, time and money.

What is measured has its own places: :mod:`minigpt.training.safety.memory` for the memory of a step,
:mod:`minigpt.bench` for its time.
"""

from minigpt.cost.activations import Kept, kept_activations
from minigpt.cost.assumptions import Assumptions
from minigpt.cost.budget import BudgetPlan, parse_budget, plan_budget
from minigpt.cost.cache import cache_bytes, kv_cache_bytes
from minigpt.cost.estimates import Estimate, estimate
from minigpt.cost.flops import matrix_parameters, training_flops_per_token
from minigpt.cost.flops_by_part import Flops, attention_pairs, backward_flops, forward_flops
from minigpt.cost.growth import Growth, GrowthRow, StepSize, predict_growth
from minigpt.cost.machine import Machine, step_seconds
from minigpt.cost.memory import PredictedMemory, StepPlan, peak_bytes, predict_memory
from minigpt.cost.parallelism import data_parallel_bytes, pipeline, tensor_parallel_bytes, zero_memory
from minigpt.cost.parameters import ParameterCount, count_parameters
from minigpt.cost.published import PUBLISHED_MODELS, PublishedModel, published_config

__all__ = [
    "PUBLISHED_MODELS",
    "Assumptions",
    "BudgetPlan",
    "Estimate",
    "Flops",
    "Growth",
    "GrowthRow",
    "Kept",
    "Machine",
    "ParameterCount",
    "PredictedMemory",
    "PublishedModel",
    "StepPlan",
    "StepSize",
    "attention_pairs",
    "backward_flops",
    "cache_bytes",
    "count_parameters",
    "data_parallel_bytes",
    "estimate",
    "forward_flops",
    "kept_activations",
    "kv_cache_bytes",
    "matrix_parameters",
    "parse_budget",
    "peak_bytes",
    "pipeline",
    "plan_budget",
    "predict_growth",
    "predict_memory",
    "published_config",
    "step_seconds",
    "tensor_parallel_bytes",
    "training_flops_per_token",
    "zero_memory",
]
