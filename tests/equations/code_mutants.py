"""One-line changes of the implementing functions, each of which the checks of the registry must notice."""

from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from minigpt import equations
from minigpt.checks import TOLERANCE, largest_error
from minigpt.equations.registry import _registry
from minigpt.equations.twins import _twins


class CodeMutant(NamedTuple):
    """In ``minigpt.<module>``, ``old`` occurs once and is replaced by ``new``."""

    module: str
    old: str
    new: str


TABLE = {
    "evaluation.fairness.statistics": [
        (".abs() >= values.sum().abs() - rounding", ".abs() > values.sum().abs() + rounding"),
        ("(signs * values).sum(1).abs()", "(signs * values).sum(1)"),
        ("(1 + further.sum().to(values.dtype)) /", "further.sum().to(values.dtype) /"),
        ("torch.arange(len(p), 0, -1, dtype=p.dtype)", "torch.arange(1, len(p) + 1, dtype=p.dtype)"),
        (".clamp(max=1).cummax(0).values", ".clamp(max=1)"),
    ],
    "evaluation.fairness.gaps": [
        ("return losses[1] - losses[0]", "return losses[1] + losses[0]"),
    ],
    "evaluation.calibration": [
        ("right.to(confidence.dtype) - confidence)", "right.to(confidence.dtype))"),
        ("torch.arange(1, bins, dtype=confidence.dtype) / bins)", "torch.arange(bins, dtype=confidence.dtype) / bins)"),
    ],
    "model.probabilities": [
        ("exp_z = torch.exp(z - _finite_max(z))", "exp_z = torch.exp2(z - _finite_max(z))"),
        ("exp_z.sum(-1, keepdim=True).clamp(min=1)", "exp_z.sum(-1, keepdim=True).clamp(min=1.5)"),
        ("exp_z.sum(-1, keepdim=True).clamp(min=1)", "exp_z.sum(0, keepdim=True) * 2"),
        ("return m.squeeze(-1) + torch.exp(z - m)", "return torch.exp(z - m)"),
        ("torch.exp(z - m).sum(-1).log()", "torch.exp(z - m).mean(-1).log()"),
        ("torch.exp(z - m).sum(-1).log()", "torch.exp(z - m).sum(-1)"),
        ("return z - log_sum_exp(z).unsqueeze(-1)", "return z + log_sum_exp(z).unsqueeze(-1)"),
    ],
    "model.attention": [
        (
            'torch.exp(einsum(v, v, "... i d, ... j d -> ... i j"))',
            'einsum(v, v, "... i d, ... j d -> ... i j").exp2()',
        ),
        (
            "return exp_scores / exp_scores.sum(-1, keepdim=True)",
            "return exp_scores / exp_scores.sum(-2, keepdim=True)",
        ),
        ('v, "... i j, ... j d -> ... i d")', 'v, "... j i, ... j d -> ... i d")'),
        ("scale = 1 / math.sqrt(q.shape[-1]) if", "scale = 1 / q.shape[-1] if"),
        ("scale = 1 / math.sqrt(q.shape[-1]) if", "scale = 1 / math.sqrt(k.shape[-2]) if"),
        ("scores = scale * einsum(q, k,", "scores = einsum(q, k,"),
        ("scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(mask, -math.inf)"),
        ("scores.masked_fill(~mask, -math.inf)", "scores.masked_fill(~mask, -5.0)"),
        ("return einsum(softmax(scores), v,", "return einsum(scores, v,"),
        ("return distance >= 0\n", "return distance > 0\n"),
        ("(distance >= 0) & (distance < window)", "(distance >= 0) & (distance <= window)"),
        ("(distance >= 0) & (distance < window)", "distance < window"),
        ("torch.arange(n_keys - n_queries, n_keys, device=device)", "torch.arange(n_queries, device=device)"),
        ("return queries[:, None] - keys[None, :]", "return keys[None, :] - queries[:, None]"),
        ("return masked_attention(q, k, v, mask, scale)", "return masked_attention(q, k, v, None, scale)"),
        ("return masked_attention(q, k, v, mask, scale)", "return masked_attention(k, q, v, mask, scale)"),
    ],
    "model.heads": [
        ("causal_attention(x @ w_q, x @ w_k, x @ w_v, scale)", "causal_attention(x @ w_k, x @ w_q, x @ w_v, scale)"),
        ("causal_attention(x @ w_q, x @ w_k, x @ w_v, scale)", "causal_attention(x @ w_q, x @ w_k, x @ w_k, scale)"),
        ('x @ w_q, "... t (h e) -> ... h t e"', 'x @ w_q, "... t (e h) -> ... h t e"'),
        ('x @ w_v, "... s (g e) -> ... g s e"', 'x @ w_v, "... s (e g) -> ... g s e"'),
        ('output, "... h t e -> ... t (h e)"', 'output, "... h t e -> ... t (e h)"'),
        ('x, "... g s e -> ... (g r) s e"', 'x, "... g s e -> ... (r g) s e"'),
        (
            "causal_attention(q, share_heads(k, n_heads), share_heads(v",
            "causal_attention(q, share_heads(k, n_heads), share_heads(k",
        ),
    ],
    "model.backends": [
        ("scale = 1 / math.sqrt(q.shape[-1]) if", "scale = 1 / math.sqrt(q.shape[1]) if"),
        ("scores = scores + alibi_bias(", "scores = scores - alibi_bias("),
    ],
    "microscope.lens": [
        ("einsum(norm(streams), head,", "einsum(streams, head,"),
    ],
    "microscope.attribution": [
        ("parts - parts.mean(-1, keepdim=True) if centred", "parts - parts.mean(0, keepdim=True) if centred"),
        ("if centred else parts", "if not centred else parts"),
        ("einsum(moved / scale, gain * direction,", "einsum(moved, gain * direction,"),
        ("einsum(moved / scale, gain * direction,", "einsum(moved / scale, direction,"),
    ],
    "microscope.patching": [
        ("return (patched - corrupt) / (clean - corrupt)", "return (patched - corrupt) / clean"),
        ("return (patched - corrupt) / (clean - corrupt)", "return (clean - patched) / (clean - corrupt)"),
    ],
    "microscope.heads": [
        ("return _mean_diagonal(pattern, 1)", "return _mean_diagonal(pattern, 0, 1)"),
        ("return _mean_diagonal(pattern, period)", "return _mean_diagonal(pattern, period - 1)"),
        ("return _mean_diagonal(pattern, period - 1, period)", "return _mean_diagonal(pattern, period - 1)"),
        ("offset=-back", "offset=back"),
        ("[..., first - back :]", "[..., :]"),
        ("losses[..., 1:period] - losses[..., period + 1 :]", "losses[..., : period - 1] - losses[..., period + 1 :]"),
        ("losses[..., 1:period] - losses[..., period + 1 :]", "losses[..., 1:period] - losses[..., period:-1]"),
    ],
    "microscope.examples": [
        ("vectors.norm(dim=-1) * query.norm()", "vectors.norm(dim=-1)"),
        ("vectors.norm(dim=-1) * query.norm()", "vectors.norm() * query.norm()"),
    ],
    "model.positions.formulas": [
        ("return -rearrange(slopes", "return rearrange(slopes"),
        ("* distance\n", "* distance.abs()\n"),
        ("[angles.sin(), angles.cos()]", "[angles.cos(), angles.sin()]"),
        ('"two t i -> t (i two)"', '"two t i -> t (two i)"'),
        ("frequencies = base ** -(", "frequencies = base ** ("),
        (
            "torch.arange(0, width, 2, device=device, dtype=dtype) / width",
            "torch.arange(0, width, 2, device=device, dtype=dtype) / (width - 1)",
        ),
        (
            "torch.arange(n_positions, device=device, dtype=dtype)",
            "torch.arange(1, n_positions + 1, device=device, dtype=dtype)",
        ),
        ("torch.stack((a * cos - b * sin,", "torch.stack((a * cos + b * sin,"),
        ("a * sin + b * cos), dim=-1).flatten(-2)", "a * sin - b * cos), dim=-1).flatten(-2)"),
        ("x[..., 0::2], x[..., 1::2]", "x.chunk(2, dim=-1)"),
        ("torch.cat((a * cos - b * sin,", "torch.cat((a * cos - b * cos,"),
        ("a * sin + b * cos), dim=-1)\n", "b * sin + a * cos), dim=-1)\n"),
        ("a, b = x.chunk(2, dim=-1)", "b, a = x.chunk(2, dim=-1)"),
        ("return 2.0 ** (-8.0", "return 2.0 ** (-4.0"),
        ("torch.arange(1, n_heads + 1, dtype=dtype)", "torch.arange(n_heads, dtype=dtype)"),
    ],
    "model.positions.scaling": [
        ("return frequencies / scaling.factor\n", "return frequencies * scaling.factor\n"),
        ("(width / (width - 2))", "(width / (width - 1))"),
        ("larger ** -(2 * torch.arange(", "base ** -(2 * torch.arange("),
        ("((turns - low) / (high - low))", "((turns - low) / high)"),
        ("frequencies / (2 * math.pi)\n", "frequencies / math.pi\n"),
        ("(1 - kept) * frequencies / scaling.factor + kept", "kept * frequencies / scaling.factor + (1 - kept)"),
        ("math.floor(pair_of(scaling.high_turns))", "math.floor(pair_of(scaling.low_turns))"),
        ("math.ceil(pair_of(scaling.low_turns))", "math.floor(pair_of(scaling.low_turns))"),
        ("slowed * frequencies / scaling.factor + (1 - slowed)", "(1 - slowed) * frequencies + slowed"),
        ("return 0.1 * math.log(factor) + 1", "return 0.1 * math.log2(factor) + 1"),
    ],
    "model.experts": [
        ("scores.topk(k, dim=-1)", "scores.topk(k, dim=-1, largest=False)"),
        ("softmax(_at_least_float32(chosen.values))", "_at_least_float32(chosen.values).sigmoid()"),
        ('"... n, ... n d -> ... d"', '"... n, ... m d -> ... d"'),
        ("return n * (expert_shares", "return (expert_shares"),
        ("* probabilities.mean(0)).sum()", "* probabilities.amax(0)).sum()"),
        (".indices, 1).mean(0)", ".indices, 1).sum(0)"),
        ("rows.topk(k, dim=-1).indices, 1)", "rows.topk(1, dim=-1).indices, 1)"),
    ],
    "model.norms": [
        ("variance = (wide - mean).square()", "variance = wide.square()"),
        ("variance = (wide - mean).square().mean(-1, keepdim=True)", "variance = wide.var(-1, keepdim=True)"),
        ("torch.sqrt(variance + eps))", "(torch.sqrt(variance) + eps))"),
        ("gain * ((wide - mean)", "gain * (wide"),
        ("y if shift is None else y + shift", "y if shift is None else y - shift"),
        ("mean_square = wide.square().mean(-1", "mean_square = wide.square().sum(-1"),
        ("(gain * (wide / torch.sqrt(mean_square + eps)))", "(wide / torch.sqrt(mean_square + eps))"),
        ("torch.sqrt(mean_square + eps)", "torch.sqrt(mean_square)"),
    ],
    "model.mlp": [
        ("torch.erf(x / math.sqrt(2))", "torch.erf(x)"),
        ("return x / 2 * (1 + torch.erf", "return x / 2 * (torch.erf"),
        ("0.044715 * x**3", "0.044715 * x**2"),
        ("0.044715 * x**3", "0.44715 * x**3"),
        ("math.sqrt(2 / math.pi)", "math.sqrt(2 * math.pi)"),
        ("return x.clamp(min=0) ** 2", "return x.clamp(max=0) ** 2"),
        ("return x.clamp(min=0) ** 2", "return x.clamp(min=0)"),
        ("return x / (1 + torch.exp(-x))", "return x / (1 + torch.exp(x))"),
        ("return self.contract(self.activation(self.expand(x)))", "return self.contract(self.expand(x))"),
        ("fast_silu(self.gate(x)) * self.expand(x)", "self.gate(x) * F.silu(self.expand(x))"),
        ("fast_silu(self.gate(x)) * self.expand(x)", "F.sigmoid(self.gate(x)) * self.expand(x)"),
    ],
    "model.block": [
        (
            "x = x + self.drop(self.attention(self.norm_1(x), context))",
            "x = self.drop(self.attention(self.norm_1(x), context))",
        ),
        ("return x + self.drop(self.mlp(self.norm_2(x)))", "return x + self.drop(self.mlp(self.norm_1(x)))"),
        ("return x + self.drop(self.mlp(self.norm_2(x)))", "return x + self.drop(self.mlp(x))"),
        (
            "x = self.norm_1(x + self.drop(self.attention(x, context)))",
            "x = x + self.norm_1(self.drop(self.attention(x, context)))",
        ),
        ("return self.norm_2(x + self.drop(self.mlp(x)))", "return self.norm_2(self.drop(self.mlp(x)))"),
    ],
    "model.gpt": [
        ("return self.norm(self.residual_stream(ids, cache))", "return self.residual_stream(ids, cache)"),
        ("return self.head(self.features(ids, cache))", "return self.head(self.residual_stream(ids, cache))"),
        ("if config.tied_head:\n            self.head.weight", "if False:\n            self.head.weight"),
        ("self.position.add_to(self.token_embedding(ids), context)", "self.token_embedding(ids)"),
        ("in enumerate(self.blocks):", "in enumerate(self.blocks[1:]):"),
    ],
    "model.loss": [
        ("return -torch.xlogy(y, p).sum(-1)", "return -torch.xlogy(p, y).sum(-1)"),
        ("return -torch.xlogy(y, p).sum(-1)", "return torch.xlogy(y, p).sum(-1)"),
        ("return -torch.xlogy(y, p).sum(-1)", "return -torch.xlogy(y, p).mean(-1)"),
        ("(1 - smoothing) * y + smoothing / y.shape[-1]", "(1 - smoothing) * y + smoothing"),
        ("(1 - smoothing) * y + smoothing / y.shape[-1]", "y + smoothing / y.shape[-1]"),
        ("return -log_softmax(logits).gather", "return -logits.gather"),
        ("total / counts.sum().clamp(min=1)", "total / counts.numel()"),
        (
            'targets.flatten(), ignore_index=ignore_index, reduction="sum",',
            'targets.flatten().clamp(min=0), reduction="sum",',
        ),
    ],
    "model.chunked_loss": [
        ("counts = targets != ignore_index", "counts = targets != ignore_index + 1"),
        ("z = _product(some, weight.T, wide)", "z = _product(some, -weight.T, wide)"),
        ("dx[rows] = _product(g, weight, wide)", "dx[rows] = _product(g.exp(), weight, wide)"),
        ("dx[rows] = _product(g, weight, wide)", "dx[: len(g)] = _product(g, weight, wide)"),
        ("_add_product(dw, g.T, some)", "dw = _product(g.T, some, wide)"),
        ("(1 - smoothing) * z.gather(1, true)", "z.gather(1, true)"),
        ("smoothing * z.mean(1, keepdim=True)", "smoothing * z.sum(1, keepdim=True)"),
        ("z.sub_(largest).exp_()", "z.sub_(largest).exp2_()"),
        (".sub_(smoothing / z.shape[1])", ".sub_(smoothing)"),
        ("torch.full_like(target_logit, smoothing - 1)", "torch.full_like(target_logit, -1)"),
        ("z.mul_(counts.unsqueeze(1))", "pass"),
        ("(largest + sums.log() - target_logit)", "(sums.log() - target_logit)"),
        (".masked_fill(~counts, 0).sum()", ".sum()"),
    ],
    "training.optim.sgd": [
        ('(gradient(theta) + group["weight_decay"] * theta)', '(gradient(theta) - group["weight_decay"] * theta)'),
        ('theta.sub_(group["lr"] * (', 'theta.sub_(group["lr"] ** 2 * ('),
        ('parameters, alpha=group["weight_decay"])', "parameters, alpha=0.0)"),
        ('steps, alpha=-group["lr"])', "steps, alpha=-0.1)"),
    ],
    "training.optim.momentum": [
        ("m.copy_(mu * m + g)", "m.copy_(mu * m + (1 - mu) * g)"),
        ('g = gradient(theta) + group["weight_decay"] * theta', "g = gradient(theta)"),
        ('(g + mu * m if group["nesterov"] else m)', "m"),
        ("g + mu * m if", "g + m if"),
        ("torch._foreach_mul_(m, mu)", "torch._foreach_mul_(m, mu * mu)"),
        ('torch._foreach_add(g, m, alpha=mu) if group["nesterov"] else m', "m"),
        ('parameters, alpha=group["weight_decay"])', "parameters, alpha=0.0)"),
        ('steps, alpha=-group["lr"])', "steps, alpha=-0.1)"),
    ],
    "training.optim.adam": [
        ("m.copy_(beta_1 * m + (1 - beta_1) * g)", "m.copy_(beta_1 * m + g)"),
        ("m.copy_(beta_1 * m + (1 - beta_1) * g)", "m.copy_(beta_2 * m + (1 - beta_2) * g)"),
        ("v.copy_(beta_2 * v + (1 - beta_2) * g**2)", "v.copy_(beta_2 * v + (1 - beta_2) * g)"),
        ("m / (1 - beta_1**t), v / (1 - beta_2**t)", "m, v / (1 - beta_2**t)"),
        ("m / (1 - beta_1**t), v / (1 - beta_2**t)", "m / (1 - beta_1**t), v / (1 - beta_2 * t)"),
        ('(v_hat.sqrt() + group["eps"])', '(v_hat + group["eps"]).sqrt()'),
        ('gradient(theta) + group["weight_decay"] * theta, group', "gradient(theta), group"),
        ('theta.sub_(group["lr"] * m_hat', "theta.sub_(m_hat"),
        ('state["step"] += 1', 'state["step"] += 2'),
        ('weight_decay=group["weight_decay"],\n        eps', "weight_decay=0.0,\n        eps"),
        ('beta1=group["betas"][0]', 'beta1=group["betas"][1]'),
        ("states, decoupled=False)", "states, decoupled=True)"),
    ],
    "training.optim.adamw": [
        ('(v_hat.sqrt() + group["eps"])', '(v_hat + group["eps"]).sqrt()'),
        ('+ group["weight_decay"] * theta))', '+ group["weight_decay"] * gradient(theta)))'),
        ('theta.sub_(group["lr"] * (m_hat', "theta.sub_((m_hat"),
        ("states, decoupled=True)", "states, decoupled=False)"),
    ],
    "training.optim.lion": [
        ("torch.sign(beta_1 * m + (1 - beta_1) * g)", "torch.sign(beta_2 * m + (1 - beta_2) * g)"),
        ("torch.sign(beta_1 * m + (1 - beta_1) * g)", "(beta_1 * m + (1 - beta_1) * g)"),
        ("m.copy_(beta_2 * m + (1 - beta_2) * g)", "m.copy_(beta_1 * m + (1 - beta_1) * g)"),
        ('+ group["weight_decay"] * theta))', "))"),
        ("torch._foreach_sign_(mixed)", "torch._foreach_tanh_(mixed)"),
        ("torch._foreach_mul(gradients, 1 - beta_1)", "torch._foreach_mul(gradients, 1 - beta_2)"),
        ("gradients, alpha=1 - beta_2)", "gradients, alpha=beta_2)"),
        ('1 - lr * group["weight_decay"]', '1 - group["weight_decay"]'),
    ],
    "training.optim.orthogonal": [
        ("a * x + (b * gram + c * gram @ gram) @ x", "a * x + (b * gram - c * gram @ gram) @ x"),
        ("a * x + (b * gram + c * gram @ gram) @ x", "a * x + b * gram @ x"),
        ("JORDAN: Polynomial = (3.4445,", "JORDAN: Polynomial = (3.4444,"),
        ("torch.linalg.matrix_norm(x, keepdim=True)", "torch.linalg.matrix_norm(x, 2, keepdim=True)"),
        ("(SMALLEST_NORM / scale)", "(0 * scale)"),
        ("x = g if wide else g.mT", "x = g"),
    ],
    "training.optim.muon": [
        ("m.copy_(mu * m + (1 - mu) * g)", "m.copy_(mu * m + g)"),
        ("u = mu * m + (1 - mu) * g", "u = m"),
        ("return 0.2 * math.sqrt(max(theta.shape))", "return 0.2 * math.sqrt(min(theta.shape))"),
        ("return 0.2 * math.sqrt(max(theta.shape))", "return 0.2"),
        ('+ group["weight_decay"] * theta))', "))"),
        ("torch._foreach_add_(m, gradients, alpha=1 - mu)", "torch._foreach_add_(m, gradients, alpha=mu)"),
        ("steps = torch._foreach_mul(m, mu)", "steps = torch._foreach_mul(m, 1.0)"),
        ('1 - lr * group["weight_decay"]', '1 + lr * group["weight_decay"]'),
    ],
    "training.optim.clipping": [
        ("(max_norm / (norm + 1e-6)).clamp(max=1)", "(max_norm / (norm + 1e-6))"),
        ("(max_norm / (norm + 1e-6)).clamp(max=1)", "(max_norm / norm).clamp(max=1)"),
        (
            "g.square().sum() for g in gradients]).sum().sqrt()",
            "g.square().sum().sqrt() for g in gradients]).sum()",
        ),
    ],
    "training.execution.precision": [
        ("return max(1.0, scale / 2), 0", "return scale / 2, 0"),
        ("return max(1.0, scale / 2), 0", "return max(1.0, scale / 2), streak"),
        ("if streak + 1 >= patience:", "if streak >= patience:"),
        ("return 2 * scale, 0", "return 2 * scale, streak + 1"),
        ("return scale, streak + 1", "return scale, streak"),
    ],
    "training.safety.spikes": [
        ("self.weight = self.memory * self.weight + 1", "self.weight = self.weight + 1"),
        ("self.mean += before / self.weight", "self.mean += before / self.count"),
        ("before * (y - self.mean)", "before * before"),
        ("self.spread = self.memory * self.spread +", "self.spread = self.spread +"),
        ("math.sqrt(self.spread / self.weight)", "math.sqrt(self.spread / self.count)"),
        ("(x - self.mean) / deviation", "x / deviation"),
    ],
    "training.schedule": [
        (
            "peak * t / warmup_steps if t <= warmup_steps else peak",
            "peak * (t - 1) / warmup_steps if t <= warmup_steps else peak",
        ),
        ("peak * t / warmup_steps if t <= warmup_steps else peak", "peak"),
        ("progress = (t - warmup_steps) / (steps - warmup_steps)", "progress = t / steps"),
        ("return final + (peak - final) / 2", "return (peak - final) / 2"),
        ("(1 + math.cos(math.pi * progress))", "(1 + math.cos(math.pi / 2 * progress))"),
        ("        return final\n    progress", "        return 0.0\n    progress"),
        ("return peak - (peak - final) * (t - warmup_steps)", "return peak - peak * (t - warmup_steps)"),
        ("return peak - (peak - final) * (t - warmup_steps)", "return peak - (peak - final) * t"),
        ("        return final\n    return peak", "        return peak\n    return peak"),
        ("    if t <= steps - decay_steps:", "    if t < steps - decay_steps:"),
        ("(steps - t) / decay_steps if t < steps else final", "(steps - t) / steps if t < steps else final"),
        ("/ decay_steps if t < steps else final", "/ decay_steps if t < steps else peak"),
        ("min(-(-steps // 5), steps - warmup_steps)", "min(steps // 5, steps - warmup_steps)"),
        ("min(-(-steps // 5), steps - warmup_steps)", "steps - warmup_steps"),
    ],
    "training.rate_finder": [
        ("return low * (high / low)", "return high * (high / low)"),
        ("((t - 1) / (steps - 1))", "(t / steps)"),
    ],
    "training.averaging": [
        ("return average + newest_share(t, beta)", "return average - newest_share(t, beta)"),
        ("return (1 - beta) / (1 - beta**t)", "return 1 - beta"),
        ("return (1 - beta) / (1 - beta**t)", "return 1 / t"),
    ],
    "training.validation": [
        ("targets.to(device)).item()", "targets.to(device)).item() / 2"),
        ("nats += summed_loss(", "nats -= summed_loss("),
    ],
    "generation.inference": [
        ("exact.abs().amax(1) / 127", "exact.abs().amax(1) / 128"),
        ("exact.abs().amax(1) / 127", "exact.abs().amax() / 127 + 0 * exact.abs().amax(1)"),
        ("[:, None] + 0.5)", "[:, None])"),
    ],
    "generation.sampling": [
        ("max(temperature, torch.finfo(wide.dtype).tiny)", "max(1 / temperature, torch.finfo(wide.dtype).tiny)"),
        ("return softmax((wide - largest) /", "return softmax(wide - largest) ** (1 /"),
        ("argsort(dim=-1, descending=True, stable=True)", "argsort(dim=-1, descending=False, stable=True)"),
        ("order[..., :top_k]", "order[..., : top_k + 1]"),
        ("within = mass_before < top_p", "within = mass_before <= top_p"),
        ("F.pad(ordered.cumsum(dim=-1), (1, -1))", "ordered.cumsum(dim=-1)"),
        ("return masked / masked.sum(dim=-1, keepdim=True)", "return masked"),
        ("masked = probabilities * kept", "masked = probabilities * ~kept"),
        ("probabilities >= min_p * largest", "probabilities > min_p * largest"),
        ("probabilities >= min_p * largest", "probabilities >= min_p"),
    ],
    "generation.beams": [
        ("return ((5 + length) / 6) ** length_penalty", "return (length / 6) ** length_penalty"),
        ("log_probabilities.sum(-1) / _length", "log_probabilities.mean(-1) / _length"),
    ],
    "generation.logits": [
        ("torch.where(logits > 0, logits / penalty, logits * penalty)", "logits / penalty"),
        ("torch.where(seen, torch.where(", "torch.where(~seen, torch.where("),
        ("return logits + bias.to(logits)", "return logits - bias.to(logits)"),
        ("logits.masked_fill(~allowed, -math.inf)", "logits.masked_fill(allowed, -math.inf)"),
    ],
    "generation.speculation.rule": [
        ("torch.where(q > 0, p / q, torch.ones_like(p))", "torch.where(q > 0, q / p, torch.ones_like(p))"),
        (".clamp(max=1)", ".clamp(max=2)"),
        ("more = (p - q).clamp(min=0)", "more = (p - q).abs()"),
        ("torch.where(mass > 0, more / mass, p)", "torch.where(mass > 0, p, p)"),
    ],
    "evaluation.perplexity": [
        ("return self.nats / self.n_tokens", "return self.nats / self.n_bytes"),
        ("return math.exp(self.nats_per_token)", "return 2**self.nats_per_token"),
        ("return self.nats / math.log(2) / self.n_bytes", "return self.nats / self.n_bytes"),
        ("return self.nats / math.log(2) / self.n_bytes", "return self.nats / math.log(2) / self.n_tokens"),
    ],
    "text.cleaning.similarity": [
        ("return len(a & b) / len(a | b)", "return len(a & b) / max(len(a), len(b))"),
        ("return len(a & b) / len(a | b)", "return len(a & b) / len(a)"),
        ("np.mean(s == t, axis=-1)", "np.sum(s == t, axis=-1)"),
        ("np.mean(s == t, axis=-1)", "np.mean(s <= t, axis=-1)"),
        ("1 - (1 - similarity**rows) ** bands", "(1 - similarity**rows) ** bands"),
        ("1 - (1 - similarity**rows) ** bands", "1 - (1 - similarity**bands) ** rows"),
    ],
    "model.ngrams.smoothing": [
        ("return (c + alpha) /", "return c /"),
        ("(total + alpha * vocab_size)", "(total + alpha)"),
        ("np.maximum(c - d, 0)", "(c - d)"),
        ("+ d * n_followers * q", "+ d * q"),
        ("/ np.maximum(total, 1), q)", "/ np.maximum(total, 2), q)"),
    ],
    "learn.neuron": [
        ("torch.tanh(x @ w + b)", "torch.tanh(x @ w - b)"),
        ("torch.tanh(x @ w + b)", "torch.sigmoid(x @ w + b)"),
        ("- y).square().mean()", "- y).square().sum()"),
        ("- y).square().mean()", "- y).abs().mean()"),
    ],
    "learn.tiles": [
        ("torch.maximum(m, z.amax(1))", "z.amax(1)"),
        ("torch.exp(z - shift[:, None]), torch.exp(m - shift)", "torch.exp(z - shift[:, None]), torch.exp(shift - m)"),
        ("l * shrink + p.sum(1)", "l + p.sum(1)"),
        ("l * shrink + p.sum(1)", "l * shrink + p.amax(1) * 2"),
        ("o * shrink[:, None] + p @ widened(v)", "o + p @ widened(v)"),
    ],
    "learn.running_softmax": [
        ("torch.maximum(m, z.max())", "z.max()"),
        ("torch.exp(m - largest)", "torch.exp(largest - m)"),
        ("l * shrink + p.sum()", "l + p.sum()"),
        ("o * shrink + p @ v", "o + p @ v"),
        ("o * shrink + p @ v", "o * shrink + p.sum() * v.mean(0)"),
    ],
    "learn.decoding_step": [
        ("(x @ w_k)[None]", "(x @ w_q)[None]"),
        ("(x @ w_v)[None]", "(x @ w_k)[None]"),
        ("keys @ (x @ w_q)", "keys @ (x @ w_k)"),
        ("math.sqrt(keys.shape[1])", "math.sqrt(keys.shape[0])"),
        ("weights @ values, keys, values", "weights @ keys, keys, values"),
    ],
    "learn.micro_batches": [
        ("/ weights.sum()", "/ len(weights)"),
        ("torch.tensor(counts, dtype", "torch.ones(len(counts), dtype"),
    ],
    "learn.low_rank": [
        ("alpha / len(a) *", "alpha *"),
        ("alpha / len(a) *", "alpha / a.shape[1] *"),
        ("x @ weight.T + ", "x @ weight.T - "),
    ],
    "learn.tile_gradients": [
        ("1 / math.sqrt(q.shape[1]) if", "1 / q.shape[1] if"),
        ("- (0 if d_lse is None else d_lse)", "+ (0 if d_lse is None else d_lse)"),
        ("(p * (dp - d[queries, None]))", "(p * dp)"),
        ("(p * (dp - d[queries, None]))", "(dp - d[queries, None])"),
        ("dq[queries] += scale * ds", "dq[queries] += ds"),
        ("dk[keys] += scale * ds.T", "dk[keys] = scale * ds.T"),
        ("dv[keys] += p.T", "dv[keys] = p.T"),
    ],
    "cost.flops": [
        ("d * (config.n_heads + 2 * config.kv_heads) * e", "d * (config.n_heads + config.kv_heads) * e"),
        ("(3 if config.mlp", "(2 if config.mlp"),
        ("+ d * config.vocab_size", "+ 2 * d * config.vocab_size"),
        ("(n_positions + 1)", "n_positions"),
        ("config.n_active_experts * mlp + config.n_experts * d", "config.n_experts * (mlp + d)"),
        ("* e + config.heads_width * d", "* e + d * d"),
        ("return 6 * matrix_parameters(config)", "return 2 * matrix_parameters(config)"),
    ],
    "cost.parameters": [
        ("2 * config.qk_norm * e", "config.qk_norm * e"),
        ('has["mlp"] * ((matrices - 1) * f + d)', 'has["mlp"] * (f + d)'),
        ('(config.heads_width + has["out"]) * d', '(d + has["out"]) * d'),
        ("mlp = config.n_experts * (mlp + d)", "mlp = config.n_experts * mlp + d"),
        ("(2 * layers + (config.norm_placement", "(layers + (config.norm_placement"),
        ('config.norm == "layer" and config.bias', 'config.norm == "layer"'),
        ("head=0 if config.tied_head else", "head=0 if not config.tied_head else"),
    ],
    "cost.flops_by_part": [
        ("return w * (w + 1) // 2 + (n_positions - w) * w", "return w * (w + 1) // 2"),
        ("sum(t * t if full else", "sum(t * t if not full else"),
        ("out=2 * t * layers * config.heads_width * d", "out=2 * t * layers * d * d"),
        ("matrices * config.active_width + (config", "matrices * config.hidden_width + (config"),
        ("head=2 * t * d * config.vocab_size", "head=2 * d * config.vocab_size"),
    ],
    "cost.cache": [("min(n_positions, window)", "n_positions"), ("2 * word", "word")],
    "cost.hardware.bill": [("hours * watts * site.pue", "hours * watts"), ("energy * site.kg", "hours * site.kg")],
    "cost.parallelism": [
        ('"fsdp": 3 * message', '"fsdp": 2 * message'),
        ("zero_2=w + (g + k) / n", "zero_2=w + g + k / n"),
        ("(n_devices - 1) / (pieces * micro_batches", "n_devices / (pieces * micro_batches"),
    ],
    "cost.scaling.chinchilla": [
        ("(law.beta / both), (flops / 6)", "(law.alpha / both), (flops / 6)"),
        ("law.alpha * law.A / (law.beta * law.B)", "law.A / law.B"),
        ("math.log(y_1 / y_0)", "math.log(y_0 / y_1)"),
    ],
    "cost.scaling.kaplan": [('KAPLAN["alpha_N"] / KAPLAN["alpha_D"]', 'KAPLAN["alpha_N"]')],
    "cost.scaling.repeated": [
        ("(total / own - 1) / fade", "(total / own) / fade"),
        ("_worth(tokens, seen, TOKENS_FADE)", "_worth(tokens, seen, PARAMETERS_FADE)"),
    ],
}
MUTANTS = [CodeMutant(module, *change) for module, changes in TABLE.items() for change in changes]


def is_noticed(mutant: CodeMutant) -> bool:
    """Whether a check of an equation of the changed module raises or differs."""
    module = import_module(f"minigpt.{mutant.module}")
    source = Path(module.__file__).read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.old!r} occurs {source.count(mutant.old)} times in {module.__file__}; expected once")
    changed = compile(source.replace(mutant.old, mutant.new), module.__file__, "exec")
    with patch.dict(_registry), patch.dict(_twins):
        exec(changed, {"__name__": module.__name__, "__file__": module.__file__})
        return any(differs(eq) for eq in equations.all() if eq.function.__module__ == module.__name__)


def differs(eq: equations.Equation) -> bool:
    try:
        return largest_error(eq, n_draws=12) > TOLERANCE
    except Exception:
        return True
