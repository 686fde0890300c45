"""A GPT from text to sample in one file, to be read from top to bottom.

::

    text ──> tokenizer ──> batches ──> model ──> loss ──> gradient ──> update ──> sample

Everything here is a public part of the library. Only the training loop is written out: it is what
:func:`minigpt.train` does, without checkpoints, mixed precision and several processes, and it gives the same losses.

Run it with ``python -m minigpt.learn.one_file``; it takes about a minute on two CPU cores, and needs no download.

Dimensions: B batch, T positions, V vocabulary.
"""

import argparse
import math
from typing import NamedTuple

import torch

from minigpt.generation import generate
from minigpt.model import GPT, GPTConfig, next_token_loss
from minigpt.text import BPETokenizer, TinyWorld, TokenDataset
from minigpt.training import AdamW, clip_by_norm, decay_groups, warmup_cosine

VOCAB_SIZE = 512  # V: how many different tokens there are
CONTEXT_LENGTH = 64  # T: how far back the model sees, in tokens
BATCH_SIZE = 16  # B: how many pieces of text each update learns from
LEARNING_RATE = 2e-3  # the highest; the schedule rises to it and falls again
WEIGHT_DECAY, CLIP_NORM = 0.1, 1.0
SEED = 0  # decides the initial weights, the order of the data and the sample


class Corpus(NamedTuple):
    """Two texts as token ids, and the tokenizer that made them."""

    tokenizer: BPETokenizer
    training: TokenDataset
    validation: TokenDataset


def read_corpus() -> Corpus:
    """Text to numbers: stories of the tiny world, cut into the pieces that are most frequent in them."""
    # Validation tells learning from memorising: its stories share no combination of person, colour and thing.
    training, validation = TinyWorld(split="train").text(6000), TinyWorld(split="validation").text(60)
    tokenizer = BPETokenizer.train(training[:100_000], vocab_size=VOCAB_SIZE)
    split = (TokenDataset.from_text(text, tokenizer, CONTEXT_LENGTH) for text in (training, validation))
    return Corpus(tokenizer, *split)


def build_model(vocab_size: int) -> GPT:
    """A small GPT with random weights."""
    config = GPTConfig(
        vocab_size=vocab_size,
        context_length=CONTEXT_LENGTH,
        d_model=128,
        n_layers=3,
        n_heads=4,
        position="rope-half",  # attention depends on how far apart two tokens are, not on where they are
    )
    return GPT(config, generator=torch.Generator().manual_seed(SEED))


def train(model: GPT, data: TokenDataset, steps: int) -> list[float]:
    """The training loop, written out: the loss of each step, in nats per token."""
    # Gains and biases are not pulled towards 0, so they are a group of their own.
    optimizer = AdamW(decay_groups(model, WEIGHT_DECAY))
    losses = []
    model.train()
    for step in range(steps):
        # Long steps at first would be taken on gradients of a model that knows nothing: hence the warm-up.
        rate = warmup_cosine(
            step + 1, peak=LEARNING_RATE, final=LEARNING_RATE / 10, warmup_steps=min(100, steps // 20), steps=steps
        )
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, targets = data.batch(step, BATCH_SIZE, seed=SEED)  # (B, T) each; a target is the next input
        loss = next_token_loss(model(inputs), targets)  # logits (B, T, V) to nats per token
        optimizer.zero_grad()  # backward adds to the gradients of the step before
        loss.backward()
        clip_by_norm(model.parameters(), CLIP_NORM)  # one unusual batch must not undo many good steps
        optimizer.step()
        losses.append(loss.item())
        if step % max(1, steps // 10) == 0 or step + 1 == steps:
            print(f"step {step + 1:5}   loss {losses[-1]:.3f}   learning rate {rate:.1e}", flush=True)
    return losses


@torch.no_grad()
def validation_loss(model: GPT, data: TokenDataset) -> float:
    """The loss on every token of a text that the model has not learned from, in nats per token."""
    model.eval()
    batches = list(data.windows(BATCH_SIZE))
    nats = sum(next_token_loss(model(inputs), targets, reduction="sum").item() for inputs, targets in batches)
    return nats / (data.n_tokens - 1)  # the first token has nothing before it to be predicted from


def main(steps: int = 400) -> tuple[list[float], float, str]:
    """Train a model and let it write; the losses of the steps, the validation loss and the text."""
    corpus = read_corpus()
    model = build_model(corpus.tokenizer.vocab_size)
    print(f"{corpus.training} to learn from; {sum(p.numel() for p in model.parameters()):,} parameters")
    print(f"guessing: log V = log {corpus.tokenizer.vocab_size} = {math.log(corpus.tokenizer.vocab_size):.3f} nats\n")
    losses = train(model, corpus.training, steps)
    validation = validation_loss(model, corpus.validation)
    floor = TinyWorld(split="validation").floor(corpus.tokenizer).nats_per_token  # no model is better on average
    print(f"\nvalidation loss {validation:.3f}; no model of these stories can be below {floor:.3f}\n")
    sample = generate(model, corpus.tokenizer, "\n", max_new_tokens=150, temperature=0.8, seed=SEED)
    print(sample.strip())
    return losses, validation, sample


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a small GPT and let it write.")
    parser.add_argument("--steps", type=int, default=400, help="updates of the weights")
    main(parser.parse_args().steps)
