"""The whole mutation campaign: ``python tests/equations/campaign.py`` prints the counts and every survivor.

It fails for a survivor that is not known to be mathematically equal.

Three kinds of mutants: of the formulas in ``formulas.json``, judged by their independent oracles; of the LaTeX that the
library registers, judged by what its functions return; of those functions, judged by the registered equations.
"""

import collections
import functools
import sys
import time

import code_mutants
import formulas_training  # noqa: F401 - registers its oracles
import numpy as np
import torch
from formulas import FORMULAS, ORACLES
from mutate import fate, mutants

from minigpt import equations
from minigpt.checks import CHECKS, Draw

# Survivors that are no mistakes: the changed formula has the same value for every input.
EQUAL = {
    ("kneser-ney", r"double '\\sum_{u} \\mathbb{1}[c_{uv} > 0]' at 115"): "N is divided by its own sum",
    ("log-sum-exp", r"swap '\\max' by '\\min' at 86"): "any m cancels",
    ("log-sum-exp", r"double '\\max_{i} x_i' at 86"): "any m cancels",
    ("sinusoidal-positions", "exchange 't-1' by '1 - t' at 107"): "cos is even",
    ("rope", "exchange 't-1' by '1 - t' at 48"): "cos is even",
    ("rope", "exchange 't-1' by '1 - t' at 160"): "cos is even",
    ("layer-norm", r"exchange 'x_i - \\mu' by '\\mu - x_i' at 174"): "it is squared",
    ("warmup-cosine", r"swap '<' by '\\le' at 198"): "t = w is taken by the case before",
    ("warmup-cosine", r"swap '\\le' by '<' at 202"): "at t = T both cases give the floor",
    ("warmup-cosine", "exchange 't - w' by 'w - t' at 155"): "cos is even",
    ("warmup-cosine", "exchange 'T - w' by 'w - T' at 162"): "cos is even",
    ("top-k", "constant '1' by '0.5' at 102"): "ranks and k are whole numbers",
    ("online-softmax", "constant '0' by '1' at 212"): "the first value is multiplied by exp(-inf)",
    ("online-softmax", "constant '0' by '1' at 234"): "the first value is multiplied by exp(-inf)",
    ("online-softmax", r"double '-\\infty' at 184"): "2 (-inf) is -inf",
    ("online-softmax", "double '0' at 212"): "2 (0) is 0",
    ("online-softmax", "double '0' at 234"): "2 (0) is 0",
}
EQUAL_REGISTERED = {
    (
        "expected-calibration-error",
        "exchange 'y_i - c_i' by 'c_i - y_i' at 103",
    ): "between bars the sign does not count",
    ("expected-calibration-error", "constant '1' by '0' at 24"): "no confidence is 0 or less, so that bin is empty",
    ("expected-calibration-error", "upper bound 'K' by 'K + 1' at 28"): "no confidence is above 1",
    **dict.fromkeys(
        [
            ("compute-optimal", r"unwrap group '\\left(\\frac{C}{6}\\right)' by '\\frac{C}{6}' at 27"),
            ("compute-optimal", r"unwrap group '\\left(\\frac{C}{6}\\right)' by '\\frac{C}{6}' at 107"),
            ("power-law-between", r"unwrap group '\\left(\\frac{x}{x_0}\\right)' by '\\frac{x}{x_0}' at 8"),
            ("kaplan-loss", r"unwrap group '\\left(\\frac{N_c}{N}\\right)' by '\\frac{N_c}{N}' at 10"),
            *(
                (
                    name,
                    r"unwrap group '\\left(\\frac{\\alpha A}{\\beta B}\\right)' "
                    rf"by '\\frac{{\\alpha A}}{{\\beta B}}' at {place}",
                )
                for name, place in (("compute-optimal", 200), ("repeated-data-loss", 271))
            ),
        ],
        "a fraction is one factor",
    ),
    (
        "beam-score",
        r"unwrap group '\\left(\\frac{5 + n}{6}\\right)' by '\\frac{5 + n}{6}' at 36",
    ): "a fraction is one factor",
    ("q-composition", "exchange indices 'ij' by 'ji' at 120"): "the sum is over both indices",
    ("q-composition", "exchange indices 'ij' by 'ji' at 166"): "the sum is over both indices",
    ("k-composition", "exchange indices 'ij' by 'ji' at 120"): "the sum is over both indices",
    ("k-composition", "exchange indices 'ij' by 'ji' at 166"): "the sum is over both indices",
    ("v-composition", "exchange indices 'ij' by 'ji' at 120"): "the sum is over both indices",
    ("v-composition", "exchange indices 'ij' by 'ji' at 166"): "the sum is over both indices",
    ("speculative-residual", "exchange 'p_j - q_j' by 'q_j - p_j' at 52"): "both distributions have the same sum",
    ("repeated-data-loss", "name 'V' by 'U' at 107"): "where V is not U nothing is repeated, and the term is 0",
    ("top-k-gate", r"double '\\mathbb{1}[r_j < k]' at 77"): "the weights are shares",
    ("rope-yarn", "constant '1' by '0.5' at 130"): "the ends of the ramp are whole numbers",
    ("attention-pairs", "constant '1' by '0' at 12"): "the term of t = 0 is 0",
    ("short-convolution", "upper bound 'T' by 't' at 45"): "s + k = t + 1 with k of at least 1 leaves s up to t",
    ("online-softmax", "constant '0' by '1' at 212"): "the first value is multiplied by exp(-inf)",
    ("online-softmax", "constant '0' by '1' at 234"): "the first value is multiplied by exp(-inf)",
    ("online-softmax", r"double '-\\infty' at 184"): "2 (-inf) is -inf",
    ("online-softmax", "double '0' at 212"): "2 (0) is 0",
    ("online-softmax", "double '0' at 234"): "2 (0) is 0",
    (
        "exponential-ramp",
        r"unwrap group '\\left(\\frac{\\eta_{\\max}}{\\eta_{\\min}}\\right)' "
        r"by '\\frac{\\eta_{\\max}}{\\eta_{\\min}}' at 22",
    ): "a fraction is one factor",
    ("warmup-constant", r"swap '\\le' by '<' at 67"): "at t = W both cases give the peak",
    ("warmup-linear", r"swap '<' by '\\le' at 157"): "at t = S both cases give the final rate",
    ("warmup-stable-decay", r"swap '\\le' by '<' at 67"): "at t = W both cases give the peak",
    ("warmup-stable-decay", r"swap '<' by '\\le' at 197"): "at t = S both cases give the final rate",
    ("muon", r"double '\\mu m_t + (1 - \\mu) g_t' at 197"): "an orthogonal direction has no length",
    ("layer-norm", r"exchange 'x_j - \\mu' by '\\mu - x_j' at 165"): "it is squared",
    ("neuron-loss", "exchange 'a_n - y_n' by 'y_n - a_n' at 32"): "it is squared",
    ("spike-score", r"exchange 'y_i - \\mu' by '\\mu - y_i' at 182"): "it is squared",
    ("loss-scale", "double '0' at 303"): "twice 0 is 0",
    ("warmup-cosine", r"swap '<' by '\\le' at 211"): "at t = S both cases give the final rate",
    ("warmup-cosine", "exchange 't - W' by 'W - t' at 164"): "cos is even",
    ("warmup-cosine", "exchange 'S - W' by 'W - S' at 171"): "cos is even",
    (
        "top-p",
        r"double '\\sum_{j=1}^{V} \\mathbb{1}[p_j > p_i] + \\sum_{j=1}^{i} \\mathbb{1}[p_j = p_i]' at 165",
    ): "ranks are only compared with each other",
    ("top-p", "upper bound 'i' by 'i - 1' at 216"): "ranks are only compared with each other",
}


def cases_of(name, draws=2):
    """The cases of some draws of the oracle of ``name``."""
    return [case for draw in range(draws) for case in ORACLES[name](np.random.default_rng(draw))]


@functools.cache
def registered_cases(eq, draws=12):
    """What some draws give to a registered equation, and what its function returned."""
    cases, name = [], None
    for seed in range(draws):
        given, returned = CHECKS[eq.name](eq.function, Draw.seeded(seed))
        if not isinstance(returned, dict):  # of a system, the last row
            name = name or list(eq.evaluate_all(**given))[-1]
            returned = {name: returned}
        exact = {row: torch.as_tensor(values, dtype=torch.float64) for row, values in returned.items()}
        cases.append((given, {row: values.detach().numpy() for row, values in exact.items()}))
    return cases


def run(names=FORMULAS, every=1):
    """Fates counted, and the survivors as ``(name, change)``; of ``every`` mutants one is tried."""
    return tried([(FORMULAS[name], cases_of(name)) for name in names], every)


def run_registered(every=1):
    """As `run`, for the equations of the library."""
    return tried([(eq, registered_cases(eq)) for eq in equations.all()], every)


def tried(equations_and_cases, every):
    counts, survivors = collections.Counter(), []
    for eq, cases in equations_and_cases:
        for mutant in list(mutants(eq))[::every]:
            outcome = fate(mutant, cases)
            counts[outcome] += 1
            if outcome == "survived":
                survivors.append((eq.name, mutant.change))
    return counts, survivors


def run_code():
    """As `run`, for the code."""
    survivors = [mutant for mutant in code_mutants.MUTANTS if not code_mutants.is_noticed(mutant)]
    killed = len(code_mutants.MUTANTS) - len(survivors)
    return collections.Counter(killed=killed, survived=len(survivors)), survivors


def report(title, campaign, equal):
    """Print one campaign; whether its survivors are those known to be equal."""
    start = time.perf_counter()
    counts, survivors = campaign()
    total, noticed = counts.total(), 1 - counts["survived"] / counts.total()
    print(f"{title}: {total} mutants in {time.perf_counter() - start:.0f} s, {dict(counts)}, {noticed:.1%} noticed")
    for survivor in survivors:
        print(" ", *survivor, "--", equal.get(survivor, "NOT KNOWN TO BE EQUAL"))
    for name, change in equal.keys() - set(survivors):
        print(" ", name, change, "-- BELIEVED TO BE EQUAL, BUT NOTICED")
    return set(survivors) == set(equal)


if __name__ == "__main__":
    campaigns = {
        "LaTeX of formulas.json": (run, EQUAL),
        "LaTeX of the library": (run_registered, EQUAL_REGISTERED),
        "code of the library": (run_code, {}),
    }
    as_expected = [report(title, *campaign) for title, campaign in campaigns.items()]
    sys.exit(not all(as_expected))
