r"""First divergence: the first module in which two models part that are meant to compute the same.

Two implementations, two dtypes, two checkpoints, or a model and its copy with one change compute the same ids. What
enters and leaves each module that both have is compared, in the order of computation. Rounding makes the numbers differ
a little everywhere, so a difference counts only beyond the budget of the dtype:

$$
e = \max_{p, j} \frac{|a_{pj} - b_{pj}|}{\mathrm{rms}(a_p)}, \qquad \text{budget} = 32 \, \epsilon \sqrt{k}
$$

where p is a position, j one of its numbers, ε the spacing at 1 of the coarser of the two dtypes, and k counts the
layers up to this one: rounding errors that are independent of each other add up in quadrature.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from minigpt.microscope.divergence.counterparts import counterparts
from minigpt.microscope.divergence.seen import ENTERS, ModulePlace, tensors_seen
from minigpt.microscope.divergence.tolerance import budget_of, distance, first_apart
from minigpt.settings import shown
from minigpt.settings.language import folded

N_AROUND = 3  # points before and after the first divergence


class Point(NamedTuple):
    """What enters or leaves a module, compared.

    Attributes:
        place: where.
        error: the largest difference, in units of the root mean square of the position; ``inf`` if the shapes differ,
            or only one of the two numbers is finite.
        budget: what rounding may cause.
    """

    place: ModulePlace
    error: float
    budget: float

    @property
    def share(self) -> float:
        """The part of the budget that the error takes."""
        if not self.error:
            return 0.0
        return self.error / self.budget if self.budget else math.inf

    @property
    def parts(self) -> bool:
        """Whether the difference is beyond the budget."""
        return self.error > self.budget


@dataclass(frozen=True)
class Divergence:
    """Where two models part; false if they don't.

    Attributes:
        name: the innermost module in which they part, as the first model calls it; "" where they agree, or where the
            parts lie directly in the model.
        points: all that was compared, in the order of computation.
        what: the numbers at the first place that differs, in words.
    """

    name: str
    points: tuple[Point, ...]
    what: str = ""

    def __bool__(self) -> bool:
        return self.first is not None

    @property
    def first(self) -> Point | None:
        """The first point beyond its budget."""
        return next((point for point in self.points if point.parts), None)

    def to_object(self) -> dict[str, Any]:
        """The report as a JSON object; an infinite error is ``None``."""
        points = [
            {
                "place": str(point.place),
                "error": point.error if math.isfinite(point.error) else None,
                "budget": point.budget,
            }
            for point in self.points
        ]
        return {"diverges": bool(self), "module": self.name, "what": self.what, "points": points}

    def __str__(self) -> str:
        if self.first is None:
            if not any(point.error for point in self.points):
                return f"identical in {len(self.points)} places"
            nearest = max(self.points, key=lambda point: point.share)
            return (
                f"no divergence in {len(self.points)} places; the nearest to its budget is {nearest.place}: "
                f"{nearest.error:.1e} of {nearest.budget:.1e}"
            )
        at = self.points.index(self.first)
        around = self.points[max(0, at - N_AROUND) : at + N_AROUND + 1]
        width = max(len(str(point.place)) for point in around)
        head = f"  {'':<{width}}    error   budget"
        rows = [
            f"{'>' if point is self.first else ' '} {point.place!s:<{width}}  {point.error:7.1e}  {point.budget:7.1e}"
            for point in around
        ]
        return "\n".join([f"the models part in {self.name or 'the model'}:", folded(self.what), head, *rows])


def first_divergence(a: nn.Module, b: nn.Module, ids: Tensor, *, names: Mapping[str, str] | None = None) -> Divergence:
    """Compute the same ids with two models, and find the first module whose numbers differ beyond rounding.

    Both compute in evaluation mode. What float32 hides behind its rounding, such as another eps of a norm after large
    activations, float64 shows: compare ``a.double()`` with ``b.double()``.

    Args:
        a: a model of ours, one of ``transformers``, or your own.
        b: the other; its dtype and device may differ.
        ids: ``(B, T)`` int64 token ids.
        names: the name of a module in ``b``, by its name in ``a``; ``None``: the same names, or those of GPT-2 in
            ``transformers``.

    Returns:
        A report, false if nothing differs beyond the budget. Its text shows the place and the numbers around it.

    Raises:
        ValueError: if ``names`` has a module that is not there, ``ids`` holds no token, or nothing of the two
            models could be compared.
    """
    for which, model in (("first", a), ("second", b)):
        if not isinstance(model, nn.Module):
            raise ValueError(f"the {which} model must be a torch.nn.Module, got {shown(model)}")
    if names is not None and not isinstance(names, Mapping):
        raise ValueError(f"names must be a dict from a module of a to one of b, got {shown(names)}")
    pairs = counterparts(a, b) if names is None else dict(names)
    seen, other = tensors_seen(a, list(pairs), ids), tensors_seen(b, list(pairs.values()), ids)
    points, name, what = list[Point](), "", ""
    for place, (x, n_layers) in seen.items():
        partner = place._replace(module=pairs.get(place.module, "?"))
        if partner not in other:
            continue
        y = other[partner].tensor
        before = points[-1].place if points else None
        points.append(Point(place, distance(x, y), budget_of(x, y, n_layers)))
        if points[-1].parts and not what:
            name, what = _innermost(place, before), _described(points[-1], x, y)
    if not points:
        raise ValueError("no module of both models returned a tensor: nothing could be compared")
    return Divergence(name, tuple(points), what)


def _innermost(place: ModulePlace, before: ModulePlace | None) -> str:
    """The module that computed what differs, when all before it agrees.

    Between two modules, what enters the second comes from the module around both.
    """
    if place.what != ENTERS or before is None:
        return place.module
    around = []
    for one, other in zip(before.module.split("."), place.module.split("."), strict=False):
        if one != other:
            break
        around.append(one)
    return ".".join(around)


def _described(point: Point, a: Tensor, b: Tensor) -> str:
    if a.shape != b.shape:
        return f"{point.place} differs, shapes {tuple(a.shape)} and {tuple(b.shape)}"
    index = first_apart(a, b, point.budget)
    return f"{point.place} differs, first at {list(index)}: {float(a[index]):.9g} and {float(b[index]):.9g}"
