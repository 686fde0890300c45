"""A model of two layers that learns to copy what repeats, and what becomes of it without some of its heads."""

import torch

import minigpt as mg
from minigpt.microscope import ablate, head_scores, in_context_gain, repeated_tokens, run_with, token_losses

V, T, BATCH, RATE = 32, 32, 64, 3e-3
SHAPE = {"vocab_size": V, "context_length": T, "d_model": 64, "n_layers": 2, "n_heads": 4, "d_hidden": 64}
KIND = {"position": "alibi", "norm": "rms", "bias": False, "init_std": 0.1}


def repeating(generator):
    """Random tokens that repeat after a random number of positions, so that no fixed distance helps."""
    period = int(torch.randint(6, T // 2 + 1, (), generator=generator))
    return torch.randint(V, (BATCH, period), generator=generator).repeat(1, T // period + 1)[:, :T]


def trained(seed, steps):
    """A model after some steps of AdamW on random tokens that repeat."""
    generator = torch.Generator().manual_seed(seed)
    model = mg.GPT(mg.GPTConfig(**SHAPE, **KIND), generator=generator)
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98))
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / 50, (steps - step) / (steps / 4))
        loss = mg.next_token_loss(model(ids := repeating(generator))[:, :-1], ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def gain_without(model, heads):
    """The in-context gain in nats per token with the output of some heads averaged."""
    generator = torch.Generator().manual_seed(99)
    ids = repeated_tokens(V, T // 2, 64, generator=generator)
    reference = mg.look(model, torch.randint(V, (64, T), generator=generator), "*hook_z")
    logits = run_with(model, ids, ablate(heads, "mean", reference)).logits
    return float(in_context_gain(token_losses(logits, ids), T // 2).mean())


def findings(model):
    """The scores, the gain of the model, and its gain without the induction heads and without their neighbours."""
    scores = head_scores(model, generator=torch.Generator().manual_seed(1), n_sequences=64)
    induction = scores.heads("induction")
    layers = {layer for layer, _ in induction}
    neighbours = [(layer, head) for layer in layers for head in range(4) if (layer, head) not in induction]
    sets = {"whole": [], "without induction heads": induction, "without their neighbours": neighbours}
    return scores, {name: gain_without(model, heads) for name, heads in sets.items()}
