"""Writes a page with the views of the microscope and an estimate, and the numbers that they must show.

Usage: python views.py PAGE.html EXPECTED.json
"""

import json
import sys
from pathlib import Path

import torch

import minigpt as mg
from minigpt.microscope import Patching, logit_difference, logit_lens, patch

# Markup, one token twice, a tab, a line break, a mark that turns what follows around, Chinese whole and in bytes.
TEXT = 'if a<b:\n\tprint("</script>词典\u202e词典")\n<b>&& 饕'
LEARNT = "词典 词典 词典 if if print print </script> </script> </script>"


def looked():
    """A tokenizer, a model whose heads differ, and what it read."""
    tokenizer = mg.BPETokenizer.train(LEARNT, 290, progress=False)
    ids = torch.tensor([tokenizer.encode(TEXT)])
    shape = {"d_model": 24, "n_layers": 2, "n_heads": 3, "context_length": 64}
    torch.manual_seed(1)
    model = mg.GPT(mg.GPTConfig(vocab_size=tokenizer.vocab_size, **shape)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6 if parameter.dim() > 1 else 1)  # far from uniform weights
    return tokenizer, model, ids


def recoveries(model, ids):
    """What a sweep of patches finds, with some numbers of our own: beyond -1 and 1, and rounded to 0 from below."""
    corrupt = ids.clone()
    corrupt[0, 3:6] = torch.tensor([7, 8, 9])
    found = patch(model, ids, corrupt, logit_difference(2, 5))
    values = found.values.clone()
    values[0, :5], values[1, 2] = torch.tensor([-1.25, -0.5, -0.004, 0.25, 0.75]), 1.5
    return Patching(found.site, found.over, values, found.clean, found.corrupt, found.ids)


def main():
    """Write both files."""
    tokenizer, model, ids = looked()
    record, lens, patching = mg.look(model, ids), logit_lens(model, ids), recoveries(model, ids)
    estimate = mg.estimate("gpt2", tokens=300e9, on="8xH100")
    shown = {
        "attention": record.attention_view(tokenizer),
        "layers": record.attention_view(layers=[1]),
        "lens": lens.view(tokenizer),
        "patching": patching.view(tokenizer),
        "chinese": patching.view(tokenizer, lang="zh"),
        "estimate": estimate,
    }
    chances, best = lens.logits[:, 0].softmax(-1).max(-1)
    answers = {
        "attention": torch.stack(record.attention)[:, 0].double().tolist(),
        "lens": {"chances": chances.double().tolist(), "best": best.tolist(), "ids": ids[0].tolist()},
        "patching": patching.values.double().tolist(),
        "estimate": [[text for text in row if text] for row in estimate.rows()],
    }
    page = "".join(f'<section data-view="{name}">{view._repr_html_()}</section>' for name, view in shown.items())
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Views</title>'
    head += '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
    Path(sys.argv[1]).write_text(f"{head}<main><h1>Views</h1>{page}</main></html>", encoding="utf-8")
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
