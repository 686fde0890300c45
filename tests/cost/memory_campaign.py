"""The memory of a step, measured and predicted: ``python tests/cost/memory_campaign.py`` prints every combination."""

from itertools import product

from memory_cases import MODELS, compared

if __name__ == "__main__":
    worst = 0.0
    for name, precision, recomputed in product(MODELS, ("fp32", "bf16", "fp16"), (False, True)):
        for loss in ("logits", "chunked") if name in ("large vocabulary", "llama") else ("logits",):
            for n_sequences in (1, 6):
                measured, predicted, *_ = compared(name, precision, loss, recomputed, n_sequences=n_sequences)
                error = predicted / measured - 1
                worst = max(worst, abs(error))
                how = f"{precision} {loss:8}{'recomputed' if recomputed else '':12}{n_sequences} at once"
                print(f"{name:18}{how}{measured / 1e6:9.3f} MB{error:8.1%}", flush=True)
    print(f"largest difference: {worst:.1%}")
