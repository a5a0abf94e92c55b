"""Motion in words: which way of the patient a shift in the plane of a cine is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reviewer.case import Cine
from reviewer.gating.rule import Floats


@dataclass(frozen=True, eq=False)
class Way:
    """name: "SI", "AP", "LR", or "up" and "right" of a picture whose place in the patient is unknown; positive: in words.

    direction: (2,) unit vector in (u, v): a shift's part along it is ``shift @ direction``.
    """

    name: str
    positive: str
    direction: Floats


def ways(cine: Cine) -> tuple[Way, Way]:
    """The two directions that motion in a cine is told in: those of superior, anterior and left that the plane sees best.

    Two of them that the plane sees as one direction are no two ways: across the first, the second is the perpendicular one.
    """
    if not cine.oriented:
        return (
            Way("up", "up in the picture", np.array([0.0, -1.0])),
            Way("right", "right in the picture", np.array([1.0, 0.0])),
        )
    named = (("SI", "superior", (0.0, 0.0, 1.0)), ("AP", "anterior", (0.0, -1.0, 0.0)), ("LR", "left", (1.0, 0.0, 0.0)))
    seen = [(name, word, cine.grid.axes[:2] @ np.array(direction)) for name, word, direction in named]
    seen.sort(key=lambda each: -float(np.linalg.norm(each[2])))
    (first, first_word, a), (second, second_word, b) = sorted(seen[:2], key=lambda each: "SI AP LR".index(each[0]))
    a = a / np.linalg.norm(a)
    across = np.array([-a[1], a[0]])
    return Way(first, first_word, a), Way(second, second_word, across if b @ across > 0 else -across)
