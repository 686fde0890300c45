import logging
import warnings

import pytest
import torch

from minigpt.bench.peer import checkout_model, quiet_peers
from minigpt.model import GPTConfig

TINY = GPTConfig(vocab_size=65, context_length=8, d_model=16, n_layers=1, n_heads=2)
# The face of nanoGPT's model.py, with another model behind it.
FACE = """
from dataclasses import dataclass
import torch

@dataclass
class GPTConfig:
    block_size: int = 1024
    vocab_size: int = 50304
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = 768
    dropout: float = 0.1

class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        print("number of parameters")
        self.config = config
        self.head = torch.nn.Embedding(config.vocab_size, config.vocab_size)

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        print("using fused AdamW")
        return torch.optim.AdamW(self.parameters(), lr=learning_rate, betas=betas, weight_decay=weight_decay)

    def forward(self, ids, targets):
        logits = self.head(ids)
        return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
"""


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "model.py").write_text(FACE, encoding="utf-8")
    return tmp_path


def test_what_peers_print_warn_and_log_stays_off_the_screen(capsys, caplog):
    with quiet_peers():
        print("number of parameters: 10.65M")
        warnings.warn("loss_type=None", stacklevel=1)
        logging.getLogger("transformers").warning("unused")
    assert capsys.readouterr() == ("", "") and not caplog.records
    logging.getLogger("transformers").warning("heard again")
    assert caplog.messages == ["heard again"]


def test_the_model_of_a_checkout_has_our_sizes_and_says_nothing(checkout, capsys):
    config = checkout_model(checkout, TINY).config
    assert (config.block_size, config.vocab_size, config.n_layer, config.n_head, config.n_embd) == (8, 65, 1, 2, 16)
    assert config.dropout == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("text", "message"), [(None, "has no model.py"), ("GPT = 1", "is not nanoGPT's")])
def test_another_folder_is_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "model.py").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{message}.*give the folder of a checkout of nanoGPT"):
        checkout_model(tmp_path, TINY)


def test_its_step_changes_the_weights(checkout, monkeypatch):
    from minigpt.bench import steps

    shape = steps.Shape(1, 2, 16, 8, 2)
    made = []
    monkeypatch.setattr(steps, "checkout_model", lambda *given: made.append(checkout_model(*given)) or made[0])
    _, step = steps.contenders_step(steps.Contender("nanoGPT"), shape, checkout=checkout)
    before = made[0].head.weight.clone()
    ids = torch.zeros(2, 8, dtype=torch.int64)
    step(ids, ids)
    assert not torch.equal(made[0].head.weight, before)
