"""Right answers in odd styles: two for each exercise, written before the judge saw them."""

import functools
import itertools
import math
from collections import Counter, defaultdict
from decimal import Decimal

import numpy as np
import torch
import torch.nn.functional as F

RIGHT = []


def right(exercise):
    """Put a function on the list.

    Args:
        exercise: its name.
    """

    def put(function):
        RIGHT.append((exercise, function))
        return function

    return put


@right("bigram_probabilities")
def _(ids, vocab_size, alpha):
    seen = Counter(itertools.pairwise(ids.tolist()))
    first = defaultdict(float)
    for (a, _), n in seen.items():
        first[a] += n
    return [
        [(seen[a, b] + alpha) / (first[a] + vocab_size * alpha) for b in range(vocab_size)] for a in range(vocab_size)
    ]


@right("bigram_probabilities")
def _(ids, vocab_size, alpha):
    rows = torch.full((vocab_size, vocab_size), alpha, dtype=torch.float64)
    for a, b in ids.unfold(0, 2, 1):
        rows[a, b] += 1
    return torch.exp(rows.log() - rows.sum(1, keepdim=True).log())


@right("neuron_gradients")
def _(x, w, b, y):
    both = torch.cat([w, b[None]]).double().requires_grad_()
    wide = torch.hstack([x.double(), torch.ones(len(x), 1, dtype=torch.float64)])
    ((wide @ both).tanh() - y.double()).pow(2).mean().backward()
    return both.grad[:-1].tolist(), both.grad[-1].item()


@right("neuron_gradients")
def _(x, w, b, y):
    def loss(flat):
        z = x.double().numpy() @ flat[:-1] + flat[-1]
        return np.mean((np.tanh(z) - y.double().numpy()) ** 2)

    at = np.append(w.double().numpy(), float(b))
    h = 1e-6
    slopes = [(loss(at + h * e) - loss(at - h * e)) / (2 * h) for e in np.eye(len(at))]
    return np.array(slopes[:-1]), slopes[-1]


@right("softmax")
def _(z):
    def row(values):
        return [1 / sum(math.exp(min(other - value, 700.0)) for other in values) for value in values]

    flat = z.reshape(-1, z.shape[-1]).double().tolist()
    return np.reshape([row(values) for values in flat], tuple(z.shape))


@right("softmax")
def _(z):
    return torch.nn.Softmax(dim=z.ndim - 1)(z.double()).float()


@right("cross_entropy")
def _(y, p, smoothing):
    target = torch.lerp(y, torch.full_like(y, 1 / len(y)), smoothing)
    return F.kl_div(p.log(), target, reduction="sum") - torch.special.xlogy(target, target).sum()


@right("cross_entropy")
def _(y, p, smoothing):
    product = 1.0
    for a, b in zip(y.tolist(), p.tolist(), strict=True):
        product *= b ** ((1 - smoothing) * a + smoothing / len(y))
    return np.float64(-math.log(product))


class Moment:
    """A moving average."""

    def __init__(self, start, beta):
        self.value, self.beta = start.double(), beta

    def absorb(self, new):
        self.value = self.value + (1 - self.beta) * (new - self.value)
        return self.value


@right("adamw_step")
def _(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    first, second = Moment(m, beta1), Moment(v, beta2)
    m_new, v_new = first.absorb(grad.double()), second.absorb(grad.double().square())
    root = torch.sqrt(v_new) / math.sqrt(1 - beta2**t)
    return [(1 - lr * weight_decay) * param - lr / (1 - beta1**t) * m_new / (root + eps), m_new, v_new]


@right("adamw_step")
def _(*args):
    param, grad, m, v, t, lr, b1, b2, eps, wd = (a.numpy() if hasattr(a, "numpy") else a for a in args)
    m = np.average([m, grad], axis=0, weights=[b1, 1 - b1])
    v = np.average([v, grad**2], axis=0, weights=[b2, 1 - b2])
    param = param - lr * (m / (1 - b1**t) / ((v / (1 - b2**t)) ** 0.5 + eps) + wd * param)
    return tuple(map(torch.from_numpy, map(np.asarray, (param, m, v))))


@right("clip_gradients")
def _(gradients, max_norm):
    norm = math.hypot(*itertools.chain.from_iterable(g.flatten().tolist() for g in gradients))
    return tuple(g * max_norm / max(norm, max_norm) for g in gradients)


@right("clip_gradients")
def _(gradients, max_norm):
    sizes = [g.numel() for g in gradients]
    flat = torch.cat([g.ravel() for g in gradients])
    flat = flat.renorm(2, 0, max_norm) if False else flat * min(1, max_norm / flat.norm().item())
    return [piece.view(g.shape) for piece, g in zip(flat.split(sizes), gradients, strict=True)]


@right("learning_rate")
def _(step, max_lr, min_lr, warmup, total):
    w = np.clip(step / warmup, 0, 1)
    if w < 1:
        return w * max_lr
    done = np.clip((step - warmup) / (total - warmup), 0, 1)
    return min_lr + (max_lr - min_lr) * np.cos(np.pi * done / 2) ** 2


@right("learning_rate")
def _(step, max_lr, min_lr, warmup, total):
    match (step <= warmup, step >= total):
        case (True, _):
            return torch.lerp(torch.tensor(0.0), torch.tensor(max_lr), step / warmup)
        case (_, True):
            return torch.tensor([min_lr])[0]
    half = complex(math.cos(math.pi * (step - warmup) / (total - warmup)), 0)
    return (min_lr + max_lr) / 2 + (max_lr - min_lr) / 2 * half.real


@right("bpe_encode")
def _(ids, merges):
    rank = {pair: n for n, pair in enumerate(merges)}
    ids = ids[:]
    while len(ids) > 1:
        best = min(itertools.pairwise(ids), key=lambda pair: rank.get(pair, math.inf))
        if best not in rank:
            break
        place = 0
        while place < len(ids) - 1:
            if (ids[place], ids[place + 1]) == best:
                ids[place : place + 2] = [256 + rank[best]]
            place += 1
    return np.array(ids, dtype=np.int32)


@right("bpe_encode")
def _(ids, merges):
    def merge(tokens, numbered):
        number, (a, b) = numbered
        out = []
        for token in tokens:
            if out and (out[-1], token) == (a, b):
                out[-1] = 256 + number
            else:
                out.append(token)
        return out

    return functools.reduce(merge, enumerate(merges), list(ids))


@right("attention_weights")
def _(v):
    gram = torch.cdist(v.double(), v.double()).square().neg() / 2 + v.double().square().sum(1) / 2
    return gram.softmax(1)


@right("attention_weights")
def _(v):
    out = {}
    n = v.shape[0]
    for i, j in itertools.product(range(n), repeat=2):
        out[i, j] = 1 / sum(math.exp(v[i].dot(v[k]) - v[i].dot(v[j])) for k in range(n))
    return [tuple(out[i, j] for j in range(n)) for i in range(n)]


@right("self_attention")
def _(v):
    return torch.vstack([torch.softmax(v.mv(row), 0).matmul(v)[None] for row in v])


@right("self_attention")
def _(v):
    x = v.numpy().astype(np.longdouble)
    e = np.exp(np.einsum("ia,ja->ij", x, x))
    return np.linalg.solve(np.diag(e.sum(1)).astype(float), (e @ x).astype(float))


@right("causal_mask")
def _(n_queries, n_keys):
    return np.greater_equal.outer(np.arange(n_keys - n_queries, n_keys), np.arange(n_keys))


@right("causal_mask")
def _(n_queries, n_keys):
    past = n_keys - n_queries
    return [[True] * (past + t + 1) + [False] * (n_queries - t - 1) for t in range(n_queries)]


@right("scaled_attention")
def _(q, k, v, mask):
    bias = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(mask.logical_not(), float("-inf"))
    scores = torch.baddbmm if False else torch.matmul(q.double() / q.shape[-1] ** 0.5, k.double().mT)
    return (scores + bias).softmax(-1).matmul(v.double())


@right("scaled_attention")
def _(q, k, v, mask):
    lead = q.shape[:-2]
    out = np.zeros((*lead, q.shape[-2], v.shape[-1]))
    for place in np.ndindex(*lead):
        for t in range(q.shape[-2]):
            seen = mask[t].nonzero().flatten()
            z = k[place][seen] @ q[place][t] / math.sqrt(q.shape[-1])
            out[(*place, t)] = (z.softmax(0) @ v[place][seen]).numpy()
    return out


@right("multi_head_attention")
def _(x, w_q, w_k, w_v, w_o, n_heads):
    d = x.shape[-1]
    layer = torch.nn.MultiheadAttention(d, n_heads, bias=False, batch_first=True)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([w_q.T, w_k.T, w_v.T]))
        layer.out_proj.weight.copy_(w_o.T)
        return layer(x, x, x, need_weights=False)[0]


@right("multi_head_attention")
def _(x, w_q, w_k, w_v, w_o, n_heads):
    e = x.shape[-1] // n_heads
    total = np.zeros(tuple(x.shape))
    for h in range(n_heads):
        cut = np.s_[h * e : (h + 1) * e]
        q, k, v = (x.double().numpy() @ w.double().numpy()[:, cut] for w in (w_q, w_k, w_v))
        z = np.exp(np.einsum("bte,bse->bts", q, k) / np.sqrt(e))
        total += (z / z.sum(-1, keepdims=True)) @ v @ w_o.numpy()[cut]
    return total


@right("sinusoidal_positions")
def _(length, d_model, base):
    f = base ** (-2.0 * np.arange(d_model // 2) / d_model)
    z = np.exp(1j * np.outer(np.arange(length), f))
    return np.dstack([z.imag, z.real]).reshape(length, d_model)


@right("sinusoidal_positions")
def _(length, d_model, base):
    i = torch.arange(d_model)
    angle = torch.arange(length)[:, None] / base ** ((i - i % 2) / d_model)
    return torch.sin(angle + (i % 2) * math.pi / 2)


@right("rotary_positions")
def _(x, base):
    T, E = x.shape[-2:]
    turn = torch.zeros(T, E, E, dtype=torch.float64)
    for t in range(T):
        for i in range(0, E, 2):
            c, s = math.cos(t * base ** (-i / E)), math.sin(t * base ** (-i / E))
            turn[t, i : i + 2, i : i + 2] = torch.tensor([[c, -s], [s, c]])
    return torch.einsum("tij,...tj->...ti", turn, x.double())


@right("rotary_positions")
def _(x, base):
    z = x.double().numpy()[..., ::2] + 1j * x.double().numpy()[..., 1::2]
    z = z * np.exp(1j * np.arange(x.shape[-2])[:, None] / base ** (np.arange(0, x.shape[-1], 2) / x.shape[-1]))
    out = np.empty(tuple(x.shape))
    out[..., ::2], out[..., 1::2] = z.real, z.imag
    return out


@right("layer_norm")
def _(x, gain, bias, eps):
    d = x.shape[-1]
    centring = torch.eye(d, dtype=torch.float64) - 1 / d
    c = x.double() @ centring
    return torch.addcmul(bias.double(), gain.double(), c * torch.rsqrt(c.pow(2).mean(-1, keepdim=True) + eps))


@right("layer_norm")
def _(x, gain, bias, eps):
    layer = torch.nn.LayerNorm(x.shape[-1], eps=eps)
    layer.weight, layer.bias = torch.nn.Parameter(gain), torch.nn.Parameter(bias)
    return layer(x)


@right("pre_norm_block")
def _(x, norm_1, attention, norm_2, mlp):
    for norm, part in ((norm_1, attention), (norm_2, mlp)):
        x = x + part(norm(x))
    return x


@right("pre_norm_block")
def _(x, norm_1, attention, norm_2, mlp):
    def residual(f, g):
        return lambda h: torch.stack([h, f(g(h))]).sum(0)

    return residual(mlp, norm_2)(residual(attention, norm_1)(x))


@right("next_token_loss")
def _(logits, ids):
    picked = logits[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])
    return -picked.mean(dim=(0, 1, 2), keepdim=False)


@right("next_token_loss")
def _(logits, ids):
    n, total = 0, Decimal(0)
    for scores, row in zip(logits.tolist(), ids.tolist(), strict=True):
        for z, target in zip(scores, row[1:], strict=False):
            total += Decimal(math.log(math.fsum(math.exp(s - z[target]) for s in z)))
            n += 1
    return float(total / n)


@right("accumulated_gradient")
def _(gradients, counts):
    mean, seen = torch.zeros_like(gradients[0]), 0
    for g, n in zip(gradients, counts, strict=True):
        seen += n
        mean += (g - mean) * n / seen
    return mean


@right("accumulated_gradient")
def _(gradients, counts):
    return np.average(np.stack([g.numpy() for g in gradients]), axis=0, weights=counts)


@right("perplexity")
def _(losses, n_bytes):
    flat = [x for text in losses for x in text.tolist()]
    ppl = math.prod(math.exp(x / len(flat)) for x in flat)
    return {"perplexity": ppl}["perplexity"], math.log2(ppl) * len(flat) / n_bytes


@right("perplexity")
def _(losses, n_bytes):
    pad = torch.nn.utils.rnn.pad_sequence(list(losses), batch_first=True)
    n = sum(map(len, losses))
    return torch.stack([(pad.sum() / n).exp(), pad.sum() * math.log2(math.e) / n_bytes])


@right("sampling_probabilities")
def _(logits, temperature, top_k, top_p):
    ranked = sorted(((z / temperature, i) for i, z in enumerate(logits.tolist())), reverse=True)[:top_k]
    mass = sum(math.exp(z) for z, _ in ranked)
    kept, reached = {}, 0.0
    for z, i in ranked:
        if reached >= top_p:
            break
        kept[i] = math.exp(z) / mass
        reached += kept[i]
    return [kept.get(i, 0.0) / reached for i in range(len(logits))]


@right("sampling_probabilities")
def _(logits, temperature, top_k, top_p):
    z = logits.double() / temperature
    z = z.where(z >= z.sort(descending=True).values[top_k - 1], -torch.inf)
    p, order = z.softmax(0).sort(descending=True)
    late = torch.cat([torch.zeros(1), p.cumsum(0)[:-1]]) >= top_p
    return z.index_fill(0, order[late], -torch.inf).softmax(0)


@right("kv_cache_step")
def _(x, w_q, w_k, w_v, k_cache, v_cache):
    k = torch.nn.functional.pad(k_cache, (0, 0, 0, 1))
    v = torch.nn.functional.pad(v_cache, (0, 0, 0, 1))
    k[-1], v[-1] = x @ w_k, x @ w_v
    return F.scaled_dot_product_attention((x @ w_q).view(1, -1), k, v).view(-1), k, v


@right("kv_cache_step")
def _(x, w_q, w_k, w_v, k_cache, v_cache):
    keys, values = k_cache.tolist(), v_cache.tolist()
    q, k, v = ([float(x @ column) for column in w.T] for w in (w_q, w_k, w_v))
    keys.append(k)
    values.append(v)
    e = [math.exp(np.dot(key, q) / len(q) ** 0.5) for key in keys]
    return np.dot(e, values) / sum(e), keys, values


@right("online_softmax_step")
def _(m, l, o, z, v):
    for score, value in zip(z, v, strict=True):
        new = torch.maximum(m, score)
        o = o * (m - new).exp() + (score - new).exp() * value
        l = l * (m - new).exp() + (score - new).exp()
        m = new
    return m, l, o


@right("online_softmax_step")
def _(m, l, o, z, v):
    scores = torch.cat([m[None], z])
    top = scores.max()
    w = (scores - top).exp().double()
    extended = torch.cat([o[None], v]).double()
    return top, w @ torch.cat([l[None], torch.ones(len(z))]).double(), w @ extended


@right("lora_linear")
def _(x, weight, a, b, alpha):
    merged = torch.addmm(weight, b, a, alpha=alpha / len(a))
    return torch.nn.functional.linear(x, merged)


@right("lora_linear")
def _(x, weight, a, b, alpha):
    wide = np.hstack([weight.numpy(), alpha / b.shape[1] * b.numpy()])
    return np.hstack([x.numpy(), x.numpy() @ a.numpy().T]) @ wide.T
