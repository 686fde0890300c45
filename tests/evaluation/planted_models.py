"""Models of a planted world: one that is told the probabilities, one that counts, and a GPT that has to learn them."""

import numpy as np
import torch
from torch import nn

import minigpt as mg
from minigpt.evaluation.fairness import PlantedWorld
from minigpt.model import NGram


class Told(nn.Module):
    """Gives each continuation of each prompt the log-probability of a table, and its tokens but the first for certain.

    Args:
        table: from a prompt and a continuation to the log-probability, in nats.
        tokenizer: of both.
    """

    def __init__(self, table, tokenizer):
        super().__init__()
        self.vocab_size = tokenizer.vocab_size
        self.next = {}
        for (prompt, continuation), log_p in table.items():
            given, (first, *others) = tokenizer.encode(prompt), tokenizer.encode(continuation)
            self.next.setdefault(tuple(given), {})[first] = log_p
            for n, token in enumerate(others):
                self.next[(*given, first, *others[:n])] = {token: 0.0}

    def forward(self, ids):
        logits = torch.full((*ids.shape, self.vocab_size), -60.0, dtype=torch.float64)
        for row, told in zip(ids.tolist(), logits, strict=True):
            for t in range(len(row)):
                for token, log_p in self.next.get(tuple(row[: t + 1]), {}).items():
                    told[t, token] = log_p
        return logits


class Counting(nn.Module):
    """An n-gram as a module that returns logits."""

    def __init__(self, ids, order, vocab_size):
        super().__init__()
        self.ngram, self.known = NGram.train(ids, order, vocab_size), {}

    def after(self, context):
        if context not in self.known:
            self.known[context] = np.log(self.ngram.probabilities(context))
        return self.known[context]

    def forward(self, ids):
        seen = self.ngram.order - 1
        rows = [[self.after(tuple(row[max(0, t + 1 - seen) : t + 1])) for t in range(len(row))] for row in ids.tolist()]
        return torch.tensor(np.array(rows))


def trained(planted: PlantedWorld, *, augmented=False, n_stories=10_000, steps=300, batch_size=256, seed=0):
    """A small GPT and its tokenizer."""
    tokenizer = planted.tokenizer()
    data = planted.rows(tokenizer, n_stories, augmented=augmented)
    config = mg.GPTConfig(
        vocab_size=tokenizer.vocab_size, context_length=data.context_length, d_model=32, n_layers=1, n_heads=2
    )
    model = mg.GPT(config, generator=torch.Generator().manual_seed(seed))
    how = mg.TrainConfig(
        steps=steps,
        batch_size=batch_size,
        optimizer="muon",
        learning_rate=0.03,
        final_learning_rate=0.0,
        weight_decay=0.0,
        eval_every=0,
        seed=seed,
    )
    mg.train(model, data, how, progress=False)
    return model, tokenizer
