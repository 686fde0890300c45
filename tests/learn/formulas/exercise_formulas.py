r"""For each exercise whose result is a formula, that formula, in the names and with the indices of the exercise."""

SOFTMAX_OF_Z = r"\frac{\exp(z_{ts})}{\sum_{r} \exp(z_{tr})}"
ANGLE = r"\text{where } \phi(t, i) = (t - 1) b^{-2(i - 1)/%s}"

FORMULAS = {
    "bigram_probabilities": r"p_{uw} = \frac{c_{uw} + \alpha}{\sum_{r=1}^{V} c_{ur} + \alpha V}",
    "neuron_gradients": r"""\begin{aligned}
        \frac{\partial L}{\partial w_d} &= \frac{2}{N} \sum_{n=1}^{N} (a_n - y_n) (1 - a_n^2) x_{nd} \\
        \frac{\partial L}{\partial b} &= \frac{2}{N} \sum_{n=1}^{N} (a_n - y_n) (1 - a_n^2)
        \end{aligned} \text{where } a_n = \tanh(w \cdot x_n + b)""",
    "softmax": r"p_i = \frac{\exp(z_i - m)}{\sum_{k=1}^{V} \exp(z_k - m)} \text{where } m = \max_k z_k",
    "cross_entropy": r"-\sum_{i=1}^{n} ((1 - \varepsilon) y_i + \frac{\varepsilon}{n}) \log(p_i)",
    "adamw_step": r"""\begin{aligned}
        m_t &= \beta_1 m_{t-1} + (1 - \beta_1) g_t \\ v_t &= \beta_2 v_{t-1} + (1 - \beta_2) g_t^2 \\
        \theta_t &= \theta_{t-1} - \eta
        (\dfrac{m_t/(1 - \beta_1^t)}{\sqrt{v_t/(1 - \beta_2^t)} + \epsilon} + \lambda \theta_{t-1})
        \end{aligned}""",
    "clip_gradients": r"g'_k = g_k \min(1, \frac{c}{N}) \text{where } N = \sqrt{\sum_{k=1}^{K} \lVert g_k \rVert^2}",
    "learning_rate": r"""\eta(t) = \begin{cases} \eta_{\max} \frac{t}{W} & \text{if } t \le W \\
        \eta_{\min} + \frac{1}{2} (\eta_{\max} - \eta_{\min}) (1 + \cos(\pi \frac{t - W}{S - W})) & \text{if } t < S \\
        \eta_{\min} & \text{otherwise} \end{cases}""",
    "attention_weights": r"a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
    "self_attention": r"v'_i = \sum_{j=1}^{n} a_{ij} v_j "
    r"\text{where } a_{ij} = \frac{\exp(v_i \cdot v_j)}{\sum_{k=1}^{n} \exp(v_i \cdot v_k)}",
    "causal_mask": r"m_{ts} = \mathbb{1}[s \le t + S - T]",
    "scaled_attention": r"o_t = \sum_{s=1}^{S} a_{ts} v_s "
    r"\text{where } a_{ts} = \frac{m_{ts} \exp(z_{ts})}{\sum_{r=1}^{S} m_{tr} \exp(z_{tr})} "
    r"\text{where } z_{ts} = \frac{q_t \cdot k_s}{\sqrt{E}}",
    "multi_head_attention": r"y_t = \sum_{h=1}^{H} o_{ht} W^O_h \text{where } o_{ht} = \sum_{s} a_{hts} x_s W^V_h "
    r"\text{where } a_{hts} = \frac{\exp(z_{hts})}{\sum_{r} \exp(z_{htr})} "
    r"\text{where } z_{hts} = \frac{(x_t W^Q_h) \cdot (x_s W^K_h)}{\sqrt{E}}",
    "sinusoidal_positions": r"""\begin{aligned}
        P_{t,2i-1} &= \sin(\phi(t, i)) \\ P_{t,2i} &= \cos(\phi(t, i)) \end{aligned}"""
    + ANGLE % "D",
    "rotary_positions": r"""\begin{aligned}
        x'_{t,2i-1} &= x_{t,2i-1} \cos(\phi(t, i)) - x_{t,2i} \sin(\phi(t, i)) \\
        x'_{t,2i} &= x_{t,2i-1} \sin(\phi(t, i)) + x_{t,2i} \cos(\phi(t, i)) \end{aligned}"""
    + ANGLE % "E",
    "layer_norm": r"y_i = g_i \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}} + b_i "
    r"\text{where } \mu = \frac{1}{D} \sum_{j} x_j \text{where } \sigma^2 = \frac{1}{D} \sum_{j} (x_j - \mu)^2",
    "pre_norm_block": r"y = h + F(N_2(h)) \text{where } h = x + A(N_1(x))",
    "next_token_loss": r"L = -\frac{1}{B (T - 1)} \sum_{b=1}^{B} \sum_{t=1}^{T-1} \log(p_{bt,x_{b,t+1}}) "
    r"\text{where } p_{bti} = \frac{\exp(z_{bti})}{\sum_{k=1}^{V} \exp(z_{btk})}",
    "accumulated_gradient": r"g = \frac{\sum_{k} n_k g_k}{\sum_{k} n_k}",
    "perplexity": r"\begin{aligned} P &= \exp(\frac{1}{n} \sum_{i=1}^{n} \ell_i) \\"
    r"B &= \frac{1}{b \ln(2)} \sum_{i=1}^{n} \ell_i \end{aligned}",
    "online_softmax_step": r"""\begin{aligned} m' &= \max(m, \max_j z_j) \\
        l' &= l e^{m - m'} + \sum_{j} e^{z_j - m'} \\ o' &= o e^{m - m'} + \sum_{j} e^{z_j - m'} v_j \end{aligned}""",
    "lora_linear": r"y = x W^\top + \frac{\alpha}{r} x A^\top B^\top",
}

#: Exercises that only a function can answer.
PROCEDURES = ("bpe_encode", "sampling_probabilities", "kv_cache_step")
