r"""What several devices send to each other in one step, and how long they wait for each other.

All devices of a ring pass on their part to the next, n - 1 times. To add up a message in all of them (all-reduce) takes
two rounds of the ring, to hand out what each has (all-gather) or to add up a part in each (reduce-scatter) one. So of a
message of M bytes, each device sends

$$
\text{all-reduce}: 2 \frac{n - 1}{n} M, \qquad \text{all-gather}, \text{reduce-scatter}: \frac{n - 1}{n} M.
$$

Dimensions: n devices, N parameters, s bytes of a number, b sequences at once, T positions, D width, L layers.
"""

from dataclasses import dataclass

from minigpt.equations import equation

DEVICES_OF = "() devices"
BYTES = "() bytes of a number that is sent"


@dataclass(frozen=True, kw_only=True)
class StateBytes:
    """Bytes of weights, gradients and moments in each of several devices.

    Attributes:
        ddp: everything in each.
        zero_1: moments divided.
        zero_2: moments and gradients divided.
        fsdp: everything divided (ZeRO-3).
    """

    ddp: float
    zero_1: float
    zero_2: float
    fsdp: float


@equation(
    "data-parallel-bytes",
    r"""\begin{aligned}
    M_d &= 2 \frac{n - 1}{n} s N \\
    M_z &= 2 \frac{n - 1}{n} s N \\
    M_f &= 3 \frac{n - 1}{n} s N
    \end{aligned}""",
    symbols={
        "n": DEVICES_OF,
        "N": "() parameters",
        "s": BYTES,
        "M_d": "() DDP: the gradients are added up in all",
        "M_z": "() ZeRO-1: gradients are added up by parts, and the new weights of each part handed out",
        "M_f": "() FSDP (ZeRO-3): weights handed out forward and backward, gradients added up by parts",
    },
    source="Rajbhandari et al. 2020, arXiv:1910.02054; counted from the rounds of a ring",
)
def data_parallel_bytes(parameters: int, n_devices: int, word: int = 4) -> dict[str, float]:
    """The bytes that each device sends in a step, by strategy: "ddp", "zero" and "fsdp".

    Args:
        parameters: N.
        n_devices: n.
        word: s, bytes of a number that is sent.
    """
    message = (n_devices - 1) / n_devices * word * parameters
    return {"ddp": 2 * message, "zero": 2 * message, "fsdp": 3 * message}


@equation(
    "zero-memory",
    r"""\begin{aligned}
    M_0 &= (w + g + k) N \\
    M_1 &= (w + g) N + \frac{k N}{n} \\
    M_2 &= w N + \frac{(g + k) N}{n} \\
    M_3 &= \frac{(w + g + k) N}{n}
    \end{aligned}""",
    symbols={
        "N": "() parameters",
        "n": DEVICES_OF,
        "w": "() bytes of a weight",
        "g": "() bytes of its gradient",
        "k": "() bytes of what the optimizer keeps of it",
        "M_0": "() bytes in each device, nothing divided (DDP)",
        "M_1": "() moments divided",
        "M_2": "() moments and gradients divided",
        "M_3": "() everything divided (FSDP)",
    },
    source="Rajbhandari et al. 2020, arXiv:1910.02054, figure 1",
)
def zero_memory(parameters: float, n_devices: int, words: tuple[int, int, int] = (4, 4, 8)) -> StateBytes:
    """The bytes of weights, gradients and moments in each device.

    Args:
        parameters: N.
        n_devices: n.
        words: bytes of a weight, of its gradient and of what the optimizer keeps of it: (4, 4, 8) for AdamW in float32,
            as this library trains; (2, 2, 12) with weights in 16 bits beside those in 32.
    """
    w, g, k = (word * parameters for word in words)
    n = n_devices
    return StateBytes(ddp=w + g + k, zero_1=w + g + k / n, zero_2=w + (g + k) / n, fsdp=(w + g + k) / n)


@equation(
    "tensor-parallel-bytes",
    r"M = 8 L \frac{n - 1}{n} s b T D",
    symbols={
        "n": DEVICES_OF,
        "L": "() layers",
        "b": "() sequences at once",
        "T": "() positions",
        "D": "() model width",
        "s": BYTES,
        "M": "() bytes that each device sends in a step",
    },
    source="counted: the stream is added up behind attention and MLP, forward and backward, in each layer",
)
def tensor_parallel_bytes(n_layers: int, n_numbers: int, n_devices: int, word: int = 2) -> float:
    """M: the bytes that each device sends in a step where each has a slice of every matrix.

    Args:
        n_layers: L.
        n_numbers: b T D, the numbers of the residual stream.
        n_devices: n.
        word: s, bytes of a number that is sent.
    """
    return 4 * n_layers * 2 * (n_devices - 1) / n_devices * word * n_numbers


@equation(
    "pipeline",
    r"""\begin{aligned}
    u &= \frac{n - 1}{v m + n - 1} \\
    M &= 2 v s b T D
    \end{aligned}""",
    symbols={
        "n": "() devices, each with some of the layers",
        "m": "() micro-batches of a step",
        "v": "() separate pieces of layers that each device has; 1 for one piece",
        "b": "() sequences of a step",
        "T": "() positions",
        "D": "() model width",
        "s": BYTES,
        "u": "() share of the time that a device waits, the bubble",
        "M": "() bytes that a device in the middle sends in a step: the stream forward, its gradient backward",
    },
    source="Narayanan et al. 2021, arXiv:2104.04473, section 2.2, as a share of the whole time",
)
def pipeline(n_devices: int, micro_batches: int, n_numbers: int, pieces: int = 1, word: int = 2) -> tuple[float, float]:
    """U and M: the share of the time that a device waits in a pipeline, and the bytes that it sends in a step.

    Args:
        n_devices: n.
        micro_batches: m.
        n_numbers: b T D, the numbers of the residual stream of a step.
        pieces: v, more than 1 in an interleaved schedule.
        word: s, bytes of a number that is sent.
    """
    bubble = (n_devices - 1) / (pieces * micro_batches + n_devices - 1)
    return bubble, 2 * pieces * word * n_numbers
