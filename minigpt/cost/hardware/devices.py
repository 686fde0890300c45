"""A table of accelerators: peaks, memory, power and prices, each with its source and date.

Peaks are of dense products with sums in float32, in TFLOP/s; makers also print twice as much, for sparse matrices.
Prices are dollars for an hour of one device, on demand, from the lowest to the highest that was read, with a date.
The table was made on 2026-11-30.
"""

from dataclasses import dataclass

SHEETS = "stas00/ml-engineering, compute/accelerator/README.md; karpathy/nanochat, nanochat/common.py"
GEFORCE = "karpathy/nanochat, nanochat/common.py; karpathy/llm.c, llmc/mfu.h"
GOOGLE = "Google Cloud TPU documentation"
APPLE = "a secondary source each; Apple prints bandwidths alone"
RECEIPTS = "datareceipts/data-receipts, 109-gpu-pricing"
GUIDE = "generatedgallerybot/gpu-cloud-price-guide"
LAMBDA = "api-evangelist/lambda-labs"
BOOK = "jax-ml/scaling-book, applied-inference.md"


@dataclass(frozen=True, kw_only=True)
class Device:
    """One accelerator.

    Attributes:
        name: as it is written in ``8xH100``.
        bf16: peak of bfloat16 products, in TFLOP/s; ``None``: not supported or not published, as everywhere here.
        fp16: of float16 products.
        tf32: of float32 products that are rounded to TF32.
        fp32: of float32 products.
        gigabytes: memory, in 10⁹ bytes.
        terabytes_per_second: to and from the memory.
        watts: the most that it is made to take.
        dollars_per_hour: the lowest and the highest price read.
        priced: when, and by whom.
        source: of the other figures.
    """

    name: str
    bf16: float | None = None
    fp16: float | None = None
    tf32: float | None = None
    fp32: float | None = None
    gigabytes: float
    terabytes_per_second: float
    watts: float | None = None
    dollars_per_hour: tuple[float, float] | None = None
    priced: str = ""
    source: str = SHEETS

    @property
    def flops_per_second(self) -> float:
        """The peak of 16-bit products, or of float32 where there are none."""
        best = getattr(self, self.precision)
        assert best is not None
        return float(best) * 1e12

    @property
    def precision(self) -> str:
        """Of those products: "bf16", "fp16" or "fp32"."""
        return "bf16" if self.bf16 else "fp16" if self.fp16 else "fp32"


def _nvidia(name: str, half: float, *rest: float | None, **more: object) -> Device:
    """A device whose bfloat16 and float16 peaks are equal: then TF32, float32, GB, TB/s and W."""
    fields = ("tf32", "fp32", "gigabytes", "terabytes_per_second", "watts")
    return Device(name=name, bf16=half, fp16=half, **dict(zip(fields, rest, strict=True)), **more)  # type: ignore[arg-type]


def _apple(name: str, fp32: float, gigabytes: float, bandwidth: float, source: str = APPLE) -> Device:
    return Device(name=name, fp32=fp32, gigabytes=gigabytes, terabytes_per_second=bandwidth, source=source)


_ROWS = (
    Device(name="V100", fp16=125, fp32=15.7, gigabytes=16, terabytes_per_second=0.90, watts=300),
    Device(name="T4", fp16=65, fp32=8.1, gigabytes=16, terabytes_per_second=0.32, watts=70),
    _nvidia("A100-40", 312, 156, 19.5, 40, 1.555, 400, dollars_per_hour=(1.99, 3.40), priced=f"2026-11-09, {RECEIPTS}"),
    _nvidia("A100", 312, 156, 19.5, 80, 2.0, 400, dollars_per_hour=(1.39, 3.43), priced=f"2026-11-09, {RECEIPTS}"),
    _nvidia("H100", 989, 494.5, 67, 80, 3.35, 700, dollars_per_hour=(2.69, 12.29), priced=f"2026-11-09, {RECEIPTS}"),
    _nvidia("H100-PCIe", 756, 378, 51, 80, 2.0, None),
    _nvidia(
        "H200", 989, 494.5, 67, 141, 4.8, 700, dollars_per_hour=(4.45, 4.45), priced="2026-05-27, api-evangelist/akash"
    ),
    _nvidia(
        "B200", 2250, 1125, 80, 180, 8.0, 1000, dollars_per_hour=(4.2, 6.8), priced=f"2026-09-20, {LAMBDA}"
    ),
    _nvidia("L4", 121, 60, 30.3, 24, 0.30, 72),
    _nvidia("L40S", 362, 183, 91.6, 48, 0.86, 350),
    _nvidia(
        "RTX-3090", 71, None, 35.6, 24, 0.936, 350,
        dollars_per_hour=(0.15, 0.18), priced=f"2026-05-27, {GUIDE}", source=GEFORCE,
    ),
    _nvidia(
        "RTX-4090", 165.2, 82.6, 82.6, 24, 1.008, 450,
        dollars_per_hour=(0.29, 0.69), priced=f"2026-05-27, {GUIDE}", source=GEFORCE,
    ),
    _nvidia("RTX-5090", 209, None, None, 32, 1.79, 575, dollars_per_hour=(0.91, 0.91), priced=f"2026-05-27, {GUIDE}"),
    _nvidia(
        "MI300X", 1307, 653.7, 163.4, 192, 5.3, 750, dollars_per_hour=(1.99, 1.99), priced=f"2026-05-27, {GUIDE}"
    ),
    Device(name="TPU-v4", bf16=275, gigabytes=32, terabytes_per_second=1.2),
    Device(
        name="TPU-v5e", bf16=197, gigabytes=16, terabytes_per_second=0.819,
        dollars_per_hour=(1.2, 1.2), priced=f"2025-02, {BOOK}", source=GOOGLE,
    ),
    Device(
        name="TPU-v5p", bf16=459, gigabytes=95, terabytes_per_second=2.765,
        dollars_per_hour=(4.2, 4.2), priced=f"2025-02, {BOOK}", source=GOOGLE,
    ),
    _apple("M1-Max", 10.4, 64, 0.40),
    _apple("M3-Max", 14.3, 128, 0.40),
    _apple("M4-Max", 17.2, 128, 0.546, "computed from its clock: 5120 lanes × 2 × 1.678 GHz"),
)  # fmt: skip

#: The devices that are known by name.
DEVICES: dict[str, Device] = {device.name: device for device in _ROWS}
