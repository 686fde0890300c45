"""Published figures beside ours: ``python tests/cost/published_rows.py`` prints each row with its difference."""

from minigpt.cost.parameters import count_parameters
from minigpt.cost.published import PUBLISHED_MODELS
from minigpt.cost.scaling.chinchilla import APPROACH_1, CHINCHILLA, compute_optimal

# Hoffmann et al. 2022, tables 3 and A3: parameters, and operations and tokens that are best for them by each approach.
# The operations of approach 3 at 175e9 are printed as 1.26e24; 6 N D is 1.26e25, as the rows around it have it.
CHINCHILLA_ROWS = {
    1: [
        (400e6, 1.92e19, 8.0e9), (1e9, 1.21e20, 20.2e9), (10e9, 1.23e22, 205.1e9), (67e9, 5.76e23, 1.5e12),
        (175e9, 3.85e24, 3.7e12), (280e9, 9.90e24, 5.9e12), (520e9, 3.43e25, 11.0e12), (1e12, 1.27e26, 21.2e12),
        (10e12, 1.30e28, 216.2e12),
    ],
    2: [
        (400e6, 1.84e19, 7.7e9), (1e9, 1.20e20, 20.0e9), (10e9, 1.32e22, 219.5e9), (67e9, 6.88e23, 1.7e12),
        (175e9, 4.54e24, 4.3e12), (280e9, 1.18e25, 7.1e12), (520e9, 4.19e25, 13.4e12), (1e12, 1.59e26, 26.5e12),
        (10e12, 1.75e28, 292.0e12),
    ],
    3: [
        (400e6, 2.21e19, 9.2e9), (1e9, 1.62e20, 27.1e9), (10e9, 2.46e22, 410.1e9), (67e9, 1.71e24, 4.1e12),
        (175e9, 1.26e25, 12.0e12), (280e9, 3.52e25, 20.1e12), (520e9, 1.36e26, 43.5e12), (1e12, 5.65e26, 94.1e12),
        (10e12, 8.55e28, 1425.5e12),
    ],
}  # fmt: skip


def parameter_rows():
    """Name, published and computed parameters."""
    for name, model in PUBLISHED_MODELS.items():
        yield name, model.parameters, count_parameters(model.config).total


def flop_rows():
    """Name, published operations and 6 N D of the computed parameters."""
    for name, model in PUBLISHED_MODELS.items():
        if model.flops is not None:
            yield name, model.flops, 6 * count_parameters(model.config).total * model.tokens


def chinchilla_rows():
    """Approach and size, published operations and 6 N D of the published tokens."""
    for approach, rows in CHINCHILLA_ROWS.items():
        for size, flops, tokens in rows:
            yield f"approach {approach}, {size:.3g}", flops, 6 * size * tokens


def parametric_rows():
    """Size, the size that approach 3 gives for the published operations, by the printed constants."""
    for size, flops, _ in CHINCHILLA_ROWS[3]:
        yield f"approach 3, {size:.3g}", size, compute_optimal(CHINCHILLA, flops)[0]


if __name__ == "__main__":
    assert [(size, tokens) for size, _, tokens in CHINCHILLA_ROWS[1]] == list(APPROACH_1)
    tables = {
        "parameters": parameter_rows(),
        "operations, 6 N D": flop_rows(),
        "Chinchilla: operations and 6 N D": chinchilla_rows(),
        "Chinchilla: size for the operations, by the printed (rounded) constants": parametric_rows(),
    }
    for title, rows in tables.items():
        print(f"\n{title}\n{'':<28}{'published':>14}{'ours':>18}{'difference':>12}")
        for name, published, ours in rows:
            print(f"{name:<28}{published:>14.5g}{ours:>18,.6g}{ours / published - 1:>12.2%}")
    notes = {name: model.note for name, model in PUBLISHED_MODELS.items() if model.note}
    print("\n" + "\n".join(f"{name}: {note}" for name, note in notes.items()))
