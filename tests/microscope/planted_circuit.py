"""A circuit written into the weights by hand: a previous-token head in layer 0, an induction head in layer 1.

Dimensions: of the width D, V numbers each for the token, the token before it and the answer, and T for the position.
The norms divide by the same large number whatever the stream is, and their gain undoes it.
"""

import math

import torch

import minigpt as mg

V, T = 6, 8
TOKEN, PLACE, BEFORE, ANSWER = (slice(start, end) for start, end in ((0, V), (V, V + T), (14, 20), (20, 26)))
PREVIOUS_TOKEN_HEAD, INDUCTION_HEAD = (0, 0), (1, 1)
CLEAN = torch.tensor([[0, 1, 2, 3, 4, 5, 1]])  # 1 was followed by 2
CORRUPT = torch.tensor([[0, 4, 2, 3, 1, 5, 1]])  # 1 was followed by 5
SHARPNESS, LOUDNESS, LARGE = 100.0, 3.0, 1e6


def planted():
    """A GPT in float64 that says what came after the token the last time; the first token must be unlike the others."""
    shape = {"vocab_size": V, "context_length": T, "d_model": 26, "n_layers": 2, "n_heads": 2, "d_hidden": 5}
    kind = {"norm": "rms", "mlp": "relu", "bias": False, "tied_head": False, "norm_eps": LARGE**2}
    model = mg.GPT(mg.GPTConfig(**shape, **kind)).double().eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.fill_(LARGE if name.endswith("gain") else 0)
        model.token_embedding.weight[:, TOKEN] = torch.eye(V).double()
        model.position.embedding.weight[:, PLACE] = torch.eye(T).double()
        before = torch.diag(torch.ones(T - 1), -1).T.double()  # from the place t to the place t - 1
        write_head(model, PREVIOUS_TOKEN_HEAD, q=(PLACE, before), k=PLACE, v=TOKEN, out=BEFORE)
        write_head(model, INDUCTION_HEAD, q=(TOKEN, torch.eye(V).double()), k=BEFORE, v=TOKEN, out=ANSWER)
        model.head.weight[:, ANSWER] = LOUDNESS * torch.eye(V).double()
    return model


def write_head(model, place, *, q, k, v, out):
    """Let a head compare one part of the stream with another, and copy a third part to a fourth."""
    layer, head = place
    attention, width = model.blocks[layer].attention, model.config.head_width
    w_q, w_k, w_v = attention.project_qkv.weight.unflatten(0, (3, 2, width))[:, head]
    part, matrix = q
    w_q[: len(matrix), part] = SHARPNESS * math.sqrt(width) * matrix
    w_k[: k.stop - k.start, k] = torch.eye(k.stop - k.start).double()
    w_v[:V, v] = torch.eye(V).double()
    attention.project_out.weight[out, head * width : head * width + V] = torch.eye(V).double()
