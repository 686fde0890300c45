"""Models and steps whose memory is predicted and measured."""

import torch

import minigpt as mg
from minigpt.bench.allocation import peak_allocation
from minigpt.cost import StepPlan, peak_bytes, predict_memory
from minigpt.training import RunState, TrainConfig
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.gradients import accumulate_gradients, keyed_dropout
from minigpt.training.safety.memory import step_memory

MODELS = {
    "gpt2": {"vocab_size": 97, "context_length": 64, "d_model": 64, "n_layers": 3, "n_heads": 4},
    "large vocabulary": {"vocab_size": 2000, "context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4},
    "llama": {
        "vocab_size": 300, "context_length": 96, "d_model": 96, "n_layers": 3, "n_heads": 6, "n_kv_heads": 2,
        "position": "rope-half", "norm": "rms", "mlp": "swiglu", "bias": False, "tied_head": False,
    },
    "fast": {
        "vocab_size": 500, "context_length": 80, "d_model": 80, "n_layers": 3, "n_heads": 5, "position": "rope-half",
        "norm": "rms", "qk_norm": True, "mlp": "relu2", "bias": False, "convolution": 4,
    },
    "products": {
        "vocab_size": 97, "context_length": 128, "d_model": 64, "n_layers": 3, "n_heads": 8, "attention": "products",
    },
    "shared heads": {
        "vocab_size": 97, "context_length": 128, "d_model": 64, "n_layers": 3, "n_heads": 8, "n_kv_heads": 2,
        "position": "rope-half", "qk_norm": True, "dropout": 0.1,
    },
    "window": {
        "vocab_size": 97, "context_length": 128, "d_model": 64, "n_layers": 3, "n_heads": 4, "attention": "sdpa",
        "window": 20,
    },
    "very large vocabulary": {
        "vocab_size": 20000, "context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4,
    },
    "alibi": {
        "vocab_size": 200, "context_length": 128, "d_model": 64, "n_layers": 2, "n_heads": 8, "position": "alibi",
        "dropout": 0.1,
    },
    "slopes": {
        "vocab_size": 97, "context_length": 128, "d_model": 64, "n_layers": 3, "n_heads": 8, "position": "alibi",
    },
    "formula": {
        "vocab_size": 100, "context_length": 128, "d_model": 64, "n_layers": 2, "n_heads": 8, "attention": "formula",
    },
    "experts": {
        "vocab_size": 97, "context_length": 64, "d_model": 64, "n_layers": 3, "n_heads": 4, "mlp": "swiglu",
        "n_experts": 4, "n_active_experts": 2,
    },
}  # fmt: skip


def compared(name, precision="fp32", loss="logits", recomputed=False, optimizer="adamw", n_sequences=6):
    """Measured and predicted bytes of a step of a model, moments and weights included; and of one sequence."""
    config = mg.GPTConfig(**MODELS[name])
    plan = StepPlan(
        n_positions=config.context_length, precision=precision, loss=loss, recomputed=recomputed, optimizer=optimizer
    )
    ids = torch.zeros(2 * config.context_length, dtype=torch.int64)
    training = TrainConfig(
        device="cpu", precision=precision, loss=loss, activation_checkpointing=recomputed, optimizer=optimizer
    )
    run = RunState(mg.GPT(config).train(), training, mg.TokenDataset(ids, config.context_length, vocab_size=1))
    of_one, told = step_memory(run), predict_memory(config, plan)
    measured = of_one.weights + of_one.moments + peak(run, n_sequences)
    predicted = told.weights + told.moments + peak_bytes(config, plan, n_sequences)
    return measured, predicted, of_one, told


def peak(run, n_sequences):
    """The most bytes that are alive at once in the forward and backward pass of so many sequences, as allocated."""
    step = step_of(run, n_sequences)
    step()  # which prepares kernels
    run.optimizer.zero_grad()
    return peak_allocation(step)


def step_of(run, n_sequences):
    """The forward and backward pass of so many sequences."""
    ids = torch.zeros(n_sequences, run.data.context_length, dtype=torch.int64)

    def step():
        with run_blocks(run.model, recomputed=run.config.activation_checkpointing), keyed_dropout(run.model, 0, 0):
            accumulate_gradients(run.loss, ids, ids, n_sequences, run.precision)

    return step
