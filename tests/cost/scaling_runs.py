"""Small models of the tiny world for a scaling law: ``python tests/cost/scaling_runs.py`` trains them in CPU minutes.

Every run reads ten tokens for each of its N parameters, stories that it has not seen before, so the loss falls along
one line of sizes, L = E + A / N^alpha, and twice the size takes four times the arithmetic. Losses are means of three
seeds. The two largest runs are not fitted but predicted: they take 4 and 16 times the arithmetic of the largest that
is fitted. The losses go to ``scaling_runs.json`` beside this file.
"""

import json
import sys
from pathlib import Path

import torch

import minigpt as mg
from minigpt.cost.parameters import count_parameters
from minigpt.cost.scaling import ScalingPoint, fit_scaling_law

FILE = Path(__file__).with_suffix(".json")
WIDTHS = (24, 28, 32, 40, 48)  # a factor of 4 in parameters and of 16 in arithmetic
LARGE = (68, 96)  # 4 and 16 times the arithmetic of the largest that is fitted
TOKENS_A_PARAMETER = 10
SEEDS = (0, 1, 2)
T, B = 64, 16
PARTS = {"norm": "rms", "position": "rope-half", "qk_norm": True, "mlp": "relu2", "bias": False, "tied_head": False}
PARTS |= {"initialisation": "zero"}
TRAINING = {"optimizer": "muon", "learning_rate": 0.03, "schedule": "linear", "final_learning_rate": 0.0}


def train(width, seed, text, validation, tokenizer):
    """Train one model; what it is and its loss on new stories, in nats per character."""
    shape = {"context_length": T, "d_model": width, "n_layers": 2, "n_heads": 2}
    config = mg.GPTConfig(vocab_size=tokenizer.vocab_size, **shape, **PARTS)
    parameters = count_parameters(config).non_embedding
    steps = round(TOKENS_A_PARAMETER * parameters / (B * T))
    model = mg.GPT(config, generator=torch.Generator().manual_seed(seed))
    data = mg.TokenDataset.from_text(text[: steps * B * T + 1], tokenizer, T)
    training = mg.TrainConfig(steps=steps, batch_size=B, seed=seed, device="cpu", eval_every=0, **TRAINING)
    mg.train(model, data, training, progress=False)
    loss = mg.evaluate(model, mg.TokenDataset.from_text(validation, tokenizer, T), tokenizer).nats_per_token
    return {"width": width, "parameters": parameters, "tokens": steps * B * T, "loss": round(loss, 5)}


def run():
    """All runs, the small ones first, into the file."""
    torch.set_num_threads(1)
    text = mg.TinyWorld("en", split="all").text(7000)
    validation = mg.TinyWorld("en", split="all", seed=1).text(600)
    tokenizer = mg.CharTokenizer.train(text)
    rows = []
    for width in (*WIDTHS, *LARGE):
        runs = [train(width, seed, text, validation, tokenizer) for seed in SEEDS]
        losses = [each["loss"] for each in runs]
        rows.append(runs[0] | {"loss": round(sum(losses) / len(losses), 5), "losses": losses})
        print(rows[-1], flush=True)
    FILE.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n", encoding="utf-8")


def points():
    """The runs of the file: those that are fitted, and the large ones."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    found = [ScalingPoint(parameters=row["parameters"], loss=row["loss"]) for row in rows]
    return found[: len(WIDTHS)], found[len(WIDTHS) :]


if __name__ == "__main__":
    if "--fit-only" not in sys.argv:
        run()
    fitted, large_ones = points()
    law = fit_scaling_law(fitted, bootstrap=200)
    print(law)
    for large in large_ones:
        predicted = law.loss(large.parameters)
        print(
            f"N = {large.parameters:,}: {large.loss:.4f} nats per character, predicted {predicted:.4f}, "
            f"{predicted / large.loss - 1:+.1%}"
        )
