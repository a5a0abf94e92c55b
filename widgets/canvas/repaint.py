"""What a paint is made of, and where a view has to be painted anew because of what differs from the paint before."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, floor

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

NEAR = 8
"""Boxes that are no further apart, in pixels, are painted as one."""


@dataclass(frozen=True)
class Mark:
    """Something that is painted: the picture, a contour, a word.

    name: what it is, once in each paint. look: all that its pixels depend on. box: logical pixels, beyond which it has none.
    draw: paints it, or as much of it as lies in a box. The painter stands in logical pixels, antialiased, and is left so, without a brush.
    """

    name: Hashable
    look: Hashable
    box: QRect
    draw: Callable[[QPainter, QRect], None] = field(compare=False)

    def unlike(self, before: Mark) -> list[QRect]:
        """Where it differs from how it looked before."""
        return [before.box, self.box]


def differing(before: Iterable[Mark], after: Iterable[Mark]) -> list[QRect]:
    """Boxes around all that is not the same in two paints, apart from each other."""
    old, new = {mark.name: mark for mark in before}, {mark.name: mark for mark in after}
    if [name for name in old if name in new] != [name for name in new if name in old]:
        return merged([mark.box for mark in (*old.values(), *new.values())])  # another order: what lay above lies below
    boxes = [mark.box for name, mark in old.items() if name not in new]
    for name, mark in new.items():
        was = old.get(name)
        if was is None:
            boxes.append(mark.box)
        elif was is not mark and was.look != mark.look:
            boxes += mark.unlike(was)
    return merged(boxes)


def merged(boxes: Sequence[QRect]) -> list[QRect]:
    """As few boxes as cover the same: those that touch, or nearly do, become one."""
    apart: list[QRect] = []
    for box in boxes:
        one = box
        while met := [each for each in apart if each.intersects(one.adjusted(-NEAR, -NEAR, NEAR, NEAR))]:
            apart = [each for each in apart if each not in met]
            for each in met:
                one = one.united(each)
        if not one.isEmpty():
            apart.append(one)
    return apart


def around(x0: float, y0: float, x1: float, y1: float, reach: float = 1.0) -> QRect:
    """The box of whole pixels around least x, y and greatest x, y, and so many pixels more."""
    left, top = floor(x0 - reach), floor(y0 - reach)
    return QRect(left, top, ceil(x1 + reach) - left, ceil(y1 + reach) - top)
