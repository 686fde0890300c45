"""Small GPT-2s of transformers, every weight random: no bias is 0 and no gain is 1."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

SMALL = {"vocab_size": 97, "n_positions": 128, "n_embd": 32, "n_layer": 3, "n_head": 4}


@pytest.fixture
def make_gpt2():
    """Build one with any field of its configuration changed."""
    from transformers import GPT2Config, GPT2LMHeadModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()

    def make(seed=0, **changes):
        config = GPT2Config(**{**SMALL, "bos_token_id": None, "eos_token_id": None, **changes})
        model = GPT2LMHeadModel(config).eval()
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                # loud positions keep greedy text from repeating one token
                parameter.normal_(0, 1 if "wpe" in name else 0.2, generator=generator)
                if "ln_" in name and name.endswith("weight"):
                    parameter.add_(1)
        return model

    return make


@pytest.fixture
def folder(make_gpt2, tmp_path):
    """A folder with one of them."""
    make_gpt2().save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"
