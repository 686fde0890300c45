"""Published trainings, and the share of the peak that they reached: what the default MFU is taken from."""

from dataclasses import dataclass

from minigpt.cost.hardware.names import parse_hardware

NANOGPT = "karpathy/nanoGPT, README.md and config/train_gpt2.py"
LLM_C = "karpathy/llm.c, scripts/run_gpt2_"
LLAMA_1 = "Touvron et al. 2023, arXiv:2302.13971, table 15"
LLAMA_2 = "meta-llama/llama, MODEL_CARD.md"


@dataclass(frozen=True, kw_only=True)
class PublishedRun:
    """A training whose size, data and hours are published.

    Attributes:
        name: of the model.
        parameters: N.
        tokens: D.
        device: a name in ``DEVICES``.
        device_hours: hours of one device.
        source: of the figures.
    """

    name: str
    parameters: float
    tokens: float
    device: str
    device_hours: float
    source: str

    @property
    def mfu(self) -> float:
        """6 N D operations over what the devices could have done in their hours, at the dense 16-bit peak."""
        peak = parse_hardware(self.device).device.flops_per_second
        return 6 * self.parameters * self.tokens / (self.device_hours * 3600 * peak)


def _run(name: str, parameters: float, tokens: float, device: str, hours: float, source: str) -> PublishedRun:
    return PublishedRun(
        name=name, parameters=parameters, tokens=tokens, device=device, device_hours=hours, source=source
    )


#: Trainings whose hours are published.
PUBLISHED_RUNS = (
    _run("GPT-3 175B", 174.6e9, 300e9, "V100", 10_000 * 14.8 * 24, "Patterson et al. 2021, arXiv:2104.10350, table 4"),
    _run("LLaMA 7B", 6.7e9, 1.0e12, "A100", 82_432, LLAMA_1),
    _run("LLaMA 13B", 13.0e9, 1.0e12, "A100", 135_168, LLAMA_1),
    _run("LLaMA 33B", 32.5e9, 1.4e12, "A100", 530_432, LLAMA_1),
    _run("LLaMA 65B", 65.2e9, 1.4e12, "A100", 1_022_362, LLAMA_1),
    _run("OPT 175B", 175e9, 300e9, "A100", 809_472, LLAMA_1),
    _run("BLOOM 176B", 176.247e9, 366e9, "A100", 1_082_990, "Luccioni et al. 2022, arXiv:2211.02001"),
    _run("Llama 2 7B", 6.738e9, 2.0e12, "A100", 184_320, LLAMA_2),
    _run("Llama 2 70B", 68.977e9, 2.0e12, "A100", 1_720_320, LLAMA_2),
    _run("Llama 3.1 405B", 405.85e9, 15.6e12, "H100", 30.84e6, "meta-llama/llama-models, llama3_1/MODEL_CARD.md"),
    _run("nanoGPT 124M", 124.3e6, 600_000 * 491_520, "A100-40", 768, NANOGPT),
    _run("llm.c 124M", 124.4e6, 18_865 * 524_288, "A100", 8 * 94.3 / 60, f"{LLM_C}124M.sh"),
    _run("llm.c 1558M", 1558e6, 33.6e9, "H100", 8 * 24, f"{LLM_C}1558M.sh"),
)

#: The share of the peak that is assumed where none is given, the median of the published runs to two digits.
DEFAULT_MFU = 0.43
