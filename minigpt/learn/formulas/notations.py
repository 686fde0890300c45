r"""How the formula of each exercise writes its arguments: the names, and their values as the formula has them.

Indices and positions count from 1 in a formula, token ids as well. Leading axes, ``...``, are not written: the formula
is evaluated for each vector or matrix of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: From the arguments of one call, arrays in float64, to LaTeX name and value.
NotationValues = Callable[..., dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Notation:
    """The names of one exercise.

    Args:
        symbols: as of an `Equation`: what each argument is, and its shape.
        defined: the same of names that a formula may define: those with a subscript or superscript.
        given: the values of the names.
        mapped: for each argument the number of its own axes where axes before them are leading ones; the other
            arguments are the same for all of them. Empty where there are no leading axes.
        result: its shape, where the formula does not show it.
        results: how many results there are; several are the rows of an ``aligned`` system, in their order.
        from_zero: letters that count from 0 where a formula has a place 2i + 1 on its left side.
        shaped: the results of a call, from the arguments and the values of the rows.
    """

    symbols: Mapping[str, str]
    given: NotationValues
    defined: Mapping[str, str] = field(default_factory=dict)
    mapped: Mapping[int, int] = field(default_factory=dict)
    result: str = ""
    results: int = 1
    from_zero: str = ""
    shaped: Callable[[tuple[Any, ...], list[np.ndarray]], Any] | None = None


def bigram_counts(ids: np.ndarray, vocab_size: int, alpha: float) -> dict[str, Any]:
    """How often each token follows each other one."""
    counts = np.zeros((vocab_size, vocab_size))
    np.add.at(counts, (ids[:-1].astype(int), ids[1:].astype(int)), 1)
    return {"c": counts, r"\alpha": alpha, "V": vocab_size}


def rows(tensors: list[np.ndarray]) -> np.ndarray:
    """A row for each tensor, its numbers in order, filled with 0 to one length."""
    width = max(np.size(each) for each in tensors)
    return np.stack([np.pad(np.ravel(each), (0, width - np.size(each))) for each in tensors])


def unpadded(arguments: tuple[Any, ...], results: list[np.ndarray]) -> list[np.ndarray]:
    """The rows as tensors of the shapes that the first argument has."""
    return [row[: np.size(g)].reshape(np.shape(g)) for row, g in zip(results[0], arguments[0], strict=True)]


def like_first(arguments: tuple[Any, ...], results: list[np.ndarray]) -> Any:
    """Each result in the shape of the first argument."""
    shaped = tuple(np.reshape(result, np.shape(arguments[0])) for result in results)
    return shaped if len(shaped) > 1 else shaped[0]


def like_first_of_list(arguments: tuple[Any, ...], results: list[np.ndarray]) -> np.ndarray:
    """The result in the shape of the tensors in the first argument."""
    return np.reshape(results[0], np.shape(arguments[0][0]))


def as_mask(arguments: tuple[Any, ...], results: list[np.ndarray]) -> np.ndarray:
    """0 and 1 as booleans; other numbers stay what they are."""
    return results[0] == 1 if np.isin(results[0], (0, 1)).all() else results[0]


def adamw_state(*arguments: Any) -> dict[str, Any]:
    """The four tensors as vectors, and the six numbers."""
    tensors = dict(zip((r"\theta_{t-1}", "g_t", "m_{t-1}", "v_{t-1}"), map(np.ravel, arguments[:4]), strict=True))
    numbers = ("t", r"\eta", r"\beta_1", r"\beta_2", r"\epsilon", r"\lambda")
    return {**tensors, **dict(zip(numbers, arguments[4:], strict=True))}


def heads(x: np.ndarray, w_q: Any, w_k: Any, w_v: Any, w_o: Any, n_heads: int) -> dict[str, Any]:
    """The matrices of each head: its columns, and its rows of the last one."""
    split = {
        name: np.moveaxis(w.reshape(w.shape[0], n_heads, -1), 1, 0)
        for name, w in {"W^Q": w_q, "W^K": w_k, "W^V": w_v}.items()
    }
    return {"x": x, **split, "W^O": w_o.reshape(n_heads, -1, w_o.shape[1]), "H": n_heads}


def every_token(losses: list[np.ndarray], n_bytes: int) -> dict[str, Any]:
    """The losses of all texts, one after the other."""
    return {"l": np.concatenate([np.ravel(each) for each in losses]), "b": n_bytes}


def named(*names: str) -> NotationValues:
    """The arguments as they are, under these names."""
    return lambda *arguments: dict(zip(names, arguments, strict=True))


NOTATIONS: Mapping[str, Notation] = {
    "bigram_probabilities": Notation(
        symbols={"c": "(V, V) how often w follows u", r"\alpha": "() constant", "V": "() vocabulary"},
        given=bigram_counts,
    ),
    "neuron_gradients": Notation(
        symbols={"x": "(N, D) inputs", "w": "(D) weights", "b": "() bias", "y": "(N) targets"},
        given=named("x", "w", "b", "y"),
        results=2,
    ),
    "softmax": Notation(symbols={"z": "(V) scores"}, given=named("z"), mapped={0: 1}),
    "cross_entropy": Notation(
        symbols={"y": "(n) true distribution", "p": "(n) predicted one", r"\epsilon": "() smoothing"},
        given=named("y", "p", r"\epsilon"),
    ),
    "adamw_step": Notation(
        symbols={
            **{
                r"\theta_{t-1}": "(K) parameters",
                "g_t": "(K) gradient",
                "m_{t-1}": "(K) mean",
                "v_{t-1}": "(K) mean square",
            },
            **dict.fromkeys(("t", r"\eta", r"\beta_1", r"\beta_2", r"\epsilon", r"\lambda"), "() a number"),
        },
        defined=dict.fromkeys(("m_t", "v_t", r"\theta_t", r"\hat{m}_t", r"\hat{v}_t"), "(K) after the step"),
        given=adamw_state,
        results=3,
        shaped=lambda arguments, results: like_first(arguments, [results[2], *results[:2]]),
    ),
    "clip_gradients": Notation(
        symbols={"g": "(K, M) gradients", "c": "() largest norm"},
        given=lambda gradients, max_norm: {"g": rows(gradients), "c": max_norm},
        shaped=unpadded,
    ),
    "learning_rate": Notation(
        symbols={
            "t": "() step",
            r"\eta_{max}": "() peak",
            r"\eta_{min}": "() end",
            "W": "() warm-up",
            "S": "() steps in all",
        },
        given=named("t", r"\eta_{max}", r"\eta_{min}", "W", "S"),
    ),
    "attention_weights": Notation(symbols={"v": "(n, d) token vectors"}, given=named("v")),
    "self_attention": Notation(symbols={"v": "(n, d) token vectors"}, given=named("v")),
    "causal_mask": Notation(
        symbols={"T": "() queries", "S": "() keys"}, given=named("T", "S"), result="(T, S)", shaped=as_mask
    ),
    "scaled_attention": Notation(
        symbols={"q": "(T, E) queries", "k": "(S, E) keys", "v": "(S, F) values", "m": "(T, S) mask: 1 = may attend"},
        given=named("q", "k", "v", "m"),
        mapped={0: 2, 1: 2, 2: 2},
    ),
    "multi_head_attention": Notation(
        symbols={
            **{"x": "(T, D) token vectors", "H": "() heads", "W^O": "(H, E, D) output matrices"},
            **dict.fromkeys(("W^Q", "W^K", "W^V"), "(H, D, E) matrices"),
        },
        given=heads,
        mapped={0: 2},
    ),
    "sinusoidal_positions": Notation(
        symbols={"T": "() positions", "D": "() width, even", "b": "() base"},
        given=named("T", "D", "b"),
        defined={"P": "(T, D) the table"},
        from_zero="ti",
    ),
    "rotary_positions": Notation(
        symbols={"x": "(T, E) vectors, E even", "b": "() base"},
        given=named("x", "b"),
        defined={"x'": "(T, E) the same, turned"},
        mapped={0: 2},
        from_zero="ti",
    ),
    "layer_norm": Notation(
        symbols={"x": "(D) input", "g": "(D) gain", "b": "(D) shift", r"\epsilon": "() small constant"},
        defined={r"\sigma^2": "() variance"},
        given=named("x", "g", "b", r"\epsilon"),
        mapped={0: 1},
    ),
    "pre_norm_block": Notation(
        symbols={
            **{"x": "(T, D) input", "N_1": "function first norm", "A": "function attention"},
            **{"N_2": "function second norm", "F": "function MLP"},
        },
        given=named("x", "N_1", "A", "N_2", "F"),
    ),
    "next_token_loss": Notation(
        symbols={"z": "(B, T, V) logits", "x": "(B, T) tokens, counted from 1"},
        given=lambda logits, ids: {"z": logits, "x": ids + 1},
    ),
    "accumulated_gradient": Notation(
        symbols={"g": "(K, M) gradients", "n": "(K) tokens"},
        given=lambda gradients, counts: {"g": rows(gradients), "n": np.array(counts, float)},
        shaped=like_first_of_list,
    ),
    "perplexity": Notation(symbols={"l": "(n) nats of each token", "b": "() bytes"}, given=every_token, results=2),
    "online_softmax_step": Notation(
        symbols={
            **{"m": "() maximum so far", "l": "() sum so far", "o": "(d) outputs so far", "z": "(n) scores"},
            "v": "(n, d) values",
        },
        given=named("m", "l", "o", "z", "v"),
        results=3,
    ),
    "lora_linear": Notation(
        symbols={
            "x": "(N, I) input",
            "W": "(O, I) weight",
            "A": "(r, I) down",
            "B": "(O, r) up",
            r"\alpha": "() scale",
        },
        given=named("x", "W", "A", "B", r"\alpha"),
    ),
}
