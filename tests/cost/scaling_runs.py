"""Small models of the tiny world for a scaling law: ``python tests/cost/scaling_runs.py`` trains them in CPU minutes.

Every run reads the same stories once, so the law is that of the size alone, L = E + A / N^alpha. The largest run
is not fitted but predicted. The losses go to ``scaling_runs.json`` beside this file.
"""

import json
import sys
from pathlib import Path

import torch

import minigpt as mg
from minigpt.cost.parameters import count_parameters
from minigpt.cost.scaling import ScalingPoint, fit_scaling_law

FILE = Path(__file__).with_suffix(".json")
WIDTHS = (16, 24, 32, 40, 48)
STEPS = 2000
LARGE = 96  # four times the parameters in blocks of the largest that is fitted
T, B = 64, 16
PARTS = {"norm": "rms", "position": "rope-half", "qk_norm": True, "mlp": "relu2", "bias": False, "tied_head": False}
PARTS |= {"initialisation": "zero"}
TRAINING = {"optimizer": "muon", "learning_rate": 0.03, "schedule": "linear", "final_learning_rate": 0.0}


def train(width, text, validation, tokenizer):
    """Train one model; what it is and its loss on new stories, in nats per character."""
    vocabulary = tokenizer.vocab_size
    config = mg.GPTConfig(
        vocab_size=vocabulary, context_length=T, d_model=width, n_layers=2, n_heads=width // 8, **PARTS
    )
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    data = mg.TokenDataset.from_text(text[: STEPS * B * T + 1], tokenizer, T)
    training = mg.TrainConfig(steps=STEPS, batch_size=B, device="cpu", eval_every=0, **TRAINING)
    mg.train(model, data, training, progress=False)
    loss = mg.evaluate(model, mg.TokenDataset.from_text(validation, tokenizer, T), tokenizer).nats_per_token
    return {
        "width": width,
        "parameters": count_parameters(config).non_embedding,
        "tokens": STEPS * B * T,
        "loss": round(loss, 5),
    }


def run():
    """All runs, the small ones first, into the file."""
    torch.set_num_threads(1)
    text = mg.TinyWorld("en", split="all").text(7000)
    validation = mg.TinyWorld("en", split="all", seed=1).text(600)
    tokenizer = mg.CharTokenizer.train(text)
    rows = []
    for width in (*WIDTHS, LARGE):
        rows.append(train(width, text, validation, tokenizer))
        print(rows[-1], flush=True)
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")


def points():
    """The runs of the file: those that are fitted, and the large one."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    found = [ScalingPoint(parameters=row["parameters"], loss=row["loss"]) for row in rows]
    return found[:-1], found[-1]


if __name__ == "__main__":
    if "--fit-only" not in sys.argv:
        run()
    fitted, large = points()
    law = fit_scaling_law(fitted, bootstrap=200)
    predicted = law.loss(large.parameters)
    print(law)
    print(
        f"the large run: {large.loss:.4f} nats per character, predicted {predicted:.4f}, "
        f"{predicted / large.loss - 1:+.1%}"
    )
