"""Writes a page with a formula to explore for each of several equations, and what `evaluate` gives at each index.

Usage: python explorations.py PAGE.html EXPECTED.json
"""

import dataclasses
import json
import sys
from itertools import product
from pathlib import Path

import numpy as np

import minigpt as mg
from minigpt.checks import CHECKS
from minigpt.equations.board import number, plain_name
from minigpt.learn.exercises.draw import SmallDraw

NAMES = [
    "attention-weights",
    "attention-output",
    "cross-entropy",
    "softmax",
    "layer-norm",
    "scaled-attention",
    "causal-attention",
    "temperature",
]


def drawn(equation):
    """Whole numbers of sizes from 2 to 4."""
    for seed in range(100):
        given, _ = CHECKS[equation.name](equation.function, SmallDraw.seeded(seed))
        lengths = [length for value in given.values() for length in np.shape(value)]
        if all(2 <= length <= 4 for length in lengths):
            return {key: np.asarray(value, float) for key, value in given.items()}
    raise AssertionError(equation.name)


def entries(value, n_letters):
    """The text of each entry by its indices."""
    spans = [range(1, length + 1) for length in value.shape[:n_letters]]
    return {",".join(map(str, at)): number(value[tuple(i - 1 for i in at)]) for at in product(*spans)}


def expected(equation, given):
    """The values of the result, of the inputs and of each definition, each evaluated as an equation of its own."""
    rows = equation.document.rows
    found = {plain_name(equation.inputs[key]): number(value) for key, value in given.items()}
    result = equation.evaluate(**given)
    n_letters = len(rows[equation.outputs[-1]][0].letters)
    definitions = {}
    for place, line in enumerate(equation.where):
        rest = [*equation.where[:place], *equation.where[place + 1 :]]
        alone = dataclasses.replace(equation, latex=line, where=rest)
        definitions[plain_name(alone.outputs[-1])] = number(alone.evaluate(**given))
    return {"inputs": found, "result": entries(result, n_letters), "definitions": definitions}


def main():
    """Write both files."""
    page, answers = [], {}
    for name in NAMES:
        equation = mg.equations.get(name)
        given = drawn(equation)
        page.append(f'<section data-equation="{name}">{equation.explore(**given)._repr_html_()}</section>')
        answers[name] = expected(equation, given)
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explore</title>'
    head += '<meta name="viewport" content="width=device-width"><main><h1>Explore</h1>'
    Path(sys.argv[1]).write_text(head + "".join(page) + "</main></html>", encoding="utf-8")
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
