"""Wrong answers as students write them: two for each exercise, written before the judge saw them.

Each has the id of the mistake in the catalogue that it makes in code of its own, or nothing where the catalogue has no
such mistake or the answer makes two at once; then a kind, if it is one mistake.
"""

import math
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F

WRONG = []


def wrong(exercise, id="", kind=""):
    """Put a function on the list.

    Args:
        exercise: its name.
        id: of the catalogue, without the name of the exercise.
        kind: of a mistake that isn't in the catalogue.
    """

    def put(function):
        WRONG.append((exercise, f"{exercise}.{id}" if id else "", kind, function))
        return function

    return put


@wrong("bigram_probabilities", "joint")
def _(ids, vocab_size, alpha):
    table = np.full((vocab_size, vocab_size), float(alpha))
    seq = ids.numpy()
    for a, b in pairwise(seq):
        table[a][b] += 1
    return table / np.sum(table)


@wrong("bigram_probabilities")
def _(ids, vocab_size, alpha):
    c = torch.zeros(vocab_size, vocab_size)
    for i in range(len(ids) - 1):
        c[ids[i + 1], ids[i]] += 1
    return (c + alpha) / (c.sum(1, keepdim=True) + alpha)


@wrong("neuron_gradients", "without-two")
def _(x, w, b, y):
    w, b = w.clone().requires_grad_(True), b.clone().requires_grad_(True)
    out = torch.tanh((x * w).sum(dim=1) + b)
    (0.5 * (out - y) ** 2).mean().backward()
    return w.grad, b.grad


@wrong("neuron_gradients", kind="wrong-operand")
def _(x, w, b, y):
    w, b = w.clone().requires_grad_(True), b.clone().requires_grad_(True)
    F.mse_loss(torch.sigmoid(x @ w + b), y).backward()
    return w.grad, b.grad


@wrong("softmax", "whole-array-overflow")
def _(z):
    z = z.numpy()
    return np.exp(z) / np.sum(np.exp(z))


@wrong("softmax", kind="unstable")
def _(z):
    centred = z - z.mean(-1, keepdim=True)
    return centred.exp() / centred.exp().sum(-1, keepdim=True)


@wrong("cross_entropy", "divergence")
def _(y, p, smoothing):
    target = y * (1 - smoothing) + smoothing / y.numel()
    return F.kl_div(p.log(), target, reduction="sum")


@wrong("cross_entropy", kind="wrong-operand")
def _(y, p, smoothing):
    return -sum(float(a) * math.log(float(b) + smoothing) for a, b in zip(y, p, strict=True))


@wrong("adamw_step", "coupled-decay")
def _(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    g = grad.add(param, alpha=weight_decay)
    m = m.mul(beta1).add(g, alpha=1 - beta1)
    v = v.mul(beta2).addcmul(g, g, value=1 - beta2)
    denom = (v / (1 - beta2**t)).sqrt().add(eps)
    return param.addcdiv(m, denom, value=-lr / (1 - beta1**t)), m, v


@wrong("adamw_step", "epsilon-before-the-correction")
def _(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    new_m = beta1 * m + (1 - beta1) * grad
    new_v = beta2 * v + (1 - beta2) * grad * grad
    lr_t = lr * math.sqrt(1 - beta2**t) / (1 - beta1**t)
    theta = param - lr * weight_decay * param
    return theta - lr_t * new_m / (torch.sqrt(new_v) + eps), new_m, new_v


@wrong("clip_gradients", "sum-of-norms")
def _(gradients, max_norm):
    total = 0
    for g in gradients:
        total += float(torch.norm(g))
    if total <= max_norm:
        return [g.clone() for g in gradients]
    return [g / total * max_norm for g in gradients]


@wrong("clip_gradients", kind="missing")
def _(gradients, max_norm):
    n2 = sum((g**2).sum().item() for g in gradients)
    return [g * max_norm**2 / n2 if n2 > max_norm**2 else g for g in gradients]


@wrong("learning_rate", "progress-not-shifted")
def _(step, max_lr, min_lr, warmup, total):
    if step >= total:
        return min_lr
    if step > warmup:
        ratio = step / (total - warmup)
        return 0.5 * (1 + np.cos(np.pi * ratio)) * (max_lr - min_lr) + min_lr
    return step / warmup * max_lr


@wrong("learning_rate", kind="shift")
def _(step, max_lr, min_lr, warmup, total):
    if step < warmup:
        return max_lr * (step + 1) / (warmup + 1)
    x = min((step - warmup) / (total - warmup), 1.0)
    return min_lr + (max_lr - min_lr) * (1 + math.cos(math.pi * x)) / 2


@wrong("bpe_encode", "latest-first")
def _(ids, merges):
    s = "".join(chr(i) for i in ids)
    again = True
    while again:
        again = False
        for r in range(len(merges) - 1, -1, -1):
            pair = chr(merges[r][0]) + chr(merges[r][1])
            if pair in s:
                s = s.replace(pair, chr(256 + r))
                again = True
                break
    return [ord(c) for c in s]


@wrong("bpe_encode", kind="shift")
def _(ids, merges):
    for new, (a, b) in enumerate(merges, start=257):
        out = []
        for i in ids:
            if out and out[-1] == a and i == b:
                out[-1] = new
            else:
                out.append(i)
        ids = out
    return list(ids)


@wrong("attention_weights", "columns-sum-to-one")
def _(v):
    scores = np.exp(v.numpy() @ v.numpy().T)
    return scores / scores.sum(axis=0)


@wrong("attention_weights", kind="scale")
def _(v):
    return torch.softmax(torch.matmul(v, v.t()) / v.size(1), -1)


@wrong("self_attention", "columns-sum-to-one")
def _(v):
    a = F.softmax(v @ v.T, dim=1)
    return a.T @ v


@wrong("self_attention", "scaled")
def _(v):
    return F.scaled_dot_product_attention(v.unsqueeze(0), v.unsqueeze(0), v.unsqueeze(0)).squeeze(0)


@wrong("causal_mask", "inverted")
def _(n_queries, n_keys):
    return np.triu(np.ones((n_queries, n_keys)), k=n_keys - n_queries + 1) == 1


@wrong("causal_mask")
def _(n_queries, n_keys):
    return torch.tril(torch.ones(n_queries, n_keys))


@wrong("scaled_attention", "mask-inverted")
def _(q, k, v, mask):
    s = torch.einsum("...td,...sd->...ts", q, k) / q.size(-1) ** 0.5
    s[..., mask] = float("-inf")
    return s.softmax(dim=-1) @ v


@wrong("scaled_attention", "zero-scores")
def _(q, k, v, mask):
    s = (q @ k.mT) / math.sqrt(q.shape[-1])
    s = torch.where(mask, s, 0.0)
    w = s.exp() / s.exp().sum(-1, keepdim=True)
    return w @ v


@wrong("multi_head_attention", "scaled-by-model-width")
def _(x, w_q, w_k, w_v, w_o, n_heads):
    D = x.shape[-1]
    hs = D // n_heads
    heads = []
    for h in range(n_heads):
        sl = slice(h * hs, (h + 1) * hs)
        q, k, v = x @ w_q[:, sl], x @ w_k[:, sl], x @ w_v[:, sl]
        att = torch.softmax(q @ k.transpose(-1, -2) * D**-0.5, dim=-1)
        heads.append(att @ v)
    return torch.cat(heads, dim=-1) @ w_o


@wrong("multi_head_attention", kind="scale")
def _(x, w_q, w_k, w_v, w_o, n_heads):
    outs = []
    for wq, wk, wv, wo in zip(
        w_q.chunk(n_heads, 1), w_k.chunk(n_heads, 1), w_v.chunk(n_heads, 1), w_o.chunk(n_heads, 0), strict=True
    ):
        outs.append(F.scaled_dot_product_attention(x @ wq, x @ wk, x @ wv) @ wo)
    return torch.stack(outs).mean(0)


@wrong("sinusoidal_positions", "own-frequency-for-each-column")
def _(length, d_model, base):
    pe = np.zeros((length, d_model))
    for pos in range(length):
        for i in range(d_model):
            angle = pos / base ** (i / d_model)
            pe[pos, i] = math.sin(angle) if i % 2 == 0 else math.cos(angle)
    return pe


@wrong("sinusoidal_positions", "two-halves")
def _(length, d_model, base):
    freq = torch.exp(-math.log(base) * torch.arange(0, d_model, 2) / d_model)
    ang = torch.outer(torch.arange(length).float(), freq)
    return torch.cat((ang.sin(), ang.cos()), dim=1)


@wrong("rotary_positions", "other-direction")
def _(x, base):
    T, E = x.shape[-2:]
    theta = base ** (-torch.arange(0, E, 2) / E)
    turn = torch.polar(torch.ones(T, E // 2), -torch.arange(T)[:, None] * theta)
    z = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turn
    return torch.view_as_real(z).flatten(-2)


@wrong("rotary_positions", "half-layout")
def _(x, base):
    T, E = x.shape[-2:]
    inv = 1.0 / base ** (torch.arange(0, E, 2) / E)
    emb = torch.cat([torch.outer(torch.arange(T), inv)] * 2, dim=-1)
    half = torch.cat([-x[..., E // 2 :], x[..., : E // 2]], dim=-1)
    return x * emb.cos() + half * emb.sin()


@wrong("layer_norm", kind="wrong-operand")
def _(x, gain, bias, eps):
    return F.layer_norm(x, x.shape[-1:], gain, bias)


@wrong("layer_norm", "sample-deviation-plus-eps")
def _(x, gain, bias, eps):
    x = x.numpy()
    mu, sd = x.mean(-1, keepdims=True), x.std(-1, keepdims=True, ddof=1)
    return gain.numpy() * (x - mu) / (sd + eps) + bias.numpy()


@wrong("pre_norm_block", "post-norm")
def _(x, norm_1, attention, norm_2, mlp):
    x = norm_1(attention(x) + x)
    x = norm_2(mlp(x) + x)
    return x


@wrong("pre_norm_block", kind="missing")
def _(x, norm_1, attention, norm_2, mlp):
    h = x + attention(norm_1(x))
    h = x + mlp(norm_2(x))
    return h


@wrong("next_token_loss", "not-shifted")
def _(logits, ids):
    return F.cross_entropy(logits.view(-1, logits.size(-1)), ids.view(-1))


@wrong("next_token_loss", "shifted-backwards")
def _(logits, ids):
    return F.cross_entropy(logits[:, 1:].transpose(1, 2), ids[:, :-1])


@wrong("accumulated_gradient", "halved-repeatedly")
def _(gradients, counts):
    g = gradients[0]
    for other in gradients[1:]:
        g = 0.5 * g + 0.5 * other
    return g


@wrong("accumulated_gradient", kind="wrong-operand")
def _(gradients, counts):
    return sum(n / counts[0] * g for g, n in zip(gradients, counts, strict=True)) / len(counts)


@wrong("perplexity", "mean-of-text-means")
def _(losses, n_bytes):
    mean = np.mean([float(x.mean()) for x in losses])
    return np.exp(mean), sum(float(x.sum()) for x in losses) / np.log(2) / n_bytes


@wrong("perplexity", "multiplied-by-ln-two")
def _(losses, n_bytes):
    nats = torch.cat(losses)
    return nats.mean().exp(), nats.sum() / n_bytes / math.log2(math.e)


@wrong("sampling_probabilities", "crossing-token-dropped")
def _(logits, temperature, top_k, top_p):
    p = F.softmax(logits / temperature, dim=0)
    p[p < torch.topk(p, top_k).values[-1]] = 0
    p = p / p.sum()
    order = torch.argsort(p, descending=True)
    keep = p[order].cumsum(0) <= top_p
    keep[0] = True
    p[order[~keep]] = 0
    return p / p.sum()


@wrong("sampling_probabilities", kind="order")
def _(logits, temperature, top_k, top_p):
    p = torch.softmax(logits / temperature, 0)
    s, order = p.sort(descending=True)
    drop = s.cumsum(0) - s >= top_p
    p[order[drop]] = 0
    p[order[top_k:]] = 0
    return p / p.sum()


@wrong("kv_cache_step", "past-only")
def _(x, w_q, w_k, w_v, k_cache, v_cache):
    weights = F.softmax(k_cache @ (x @ w_q) / w_q.shape[1] ** 0.5, dim=0)
    out = weights @ v_cache
    return out, torch.vstack((k_cache, x @ w_k)), torch.vstack((v_cache, x @ w_v))


@wrong("kv_cache_step", kind="order")
def _(x, w_q, w_k, w_v, k_cache, v_cache):
    k = torch.cat([k_cache, (x @ w_k)[None]])
    v = torch.cat([v_cache, (x @ w_v)[None]])
    out = F.scaled_dot_product_attention((x @ w_q)[None], k, v)[0]
    return out, v, k


@wrong("online_softmax_step", "maximum-of-the-block")
def _(m, l, o, z, v):
    new = torch.max(z)
    w = torch.exp(z - new)
    scale = torch.exp(m - new)
    return new, l * scale + w.sum(), o * scale + (w[:, None] * v).sum(0)


@wrong("online_softmax_step", kind="wrong-operand")
def _(m, l, o, z, v):
    new = torch.maximum(m, z.max())
    w = torch.exp2(z - new)
    return new, l * torch.exp2(m - new) + w.sum(), o * torch.exp2(m - new) + w @ v


@wrong("lora_linear")
def _(x, weight, a, b, alpha):
    return x @ weight.T + alpha / a.shape[0] * (x @ (b @ a))


@wrong("lora_linear", "divided-by-output-width")
def _(x, weight, a, b, alpha):
    return F.linear(x, weight) + F.linear(F.linear(x, a), b).mul(alpha / len(b))
