"""Scripted hands: cases with one structure, panes, and strokes by places."""

from __future__ import annotations

import numpy as np
from phantoms import planes_grid, rectangle, sphere, stack

from reviewer.case import Case, Image, StructureSet
from reviewer.edit.tools.tool import Pane, Pen, Target

GRID = planes_grid(3.0 * np.arange(-10, 11))
BARE = stack(GRID, lambda w: [rectangle(-58, -58, -55, -55)] if w == GRID.positions_mm[0] else None, "bare")
"""Drawn on the lowest slice only."""
SQUARE = stack(GRID, lambda w: [rectangle(-20, -20, 20, 20)] if abs(w) < 20 else None, "square")
BALL = sphere(GRID, 20.0)


def image_on(grid, values=None):
    """An image of zeros, or of ``values(u, v, w)``."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape_zyx], indexing="ij"), axis=-1)
    voxels = np.zeros(grid.shape_zyx, dtype=np.float32)
    if values is not None:
        voxels = values(*np.moveaxis(grid.uvw_mm(grid.point_of_index_mm(index)), -1, 0)).astype(np.float32)
    return Image("image", "MR", "TrueFISP", grid, voxels)


def case_of(*structures, image=None):
    images = (image,) if image is not None else ()
    return Case(images=images, structure_sets=(StructureSet("set", "set", structures),))


def axial(w=0.0):
    return Pane((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (7.0, -5.0, w), "frame", 3.0)


def coronal(v=0.0, thickness=2.0):
    """Right is +u, down is -w: a place (a, b) is u = a, w = -b."""
    return Pane((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, v, 4.0), "frame", thickness)


def on(structure, pane=None, image=None, **limits):
    return Target.on(case_of(structure, image=image), structure, pane or axial(), image=image, **limits)


def drawn(stroke, *places, shift=False, mm_per_pixel=0.5):
    """The stroke after press at the first place, drags, and release at the last."""
    pens = [Pen(place, mm_per_pixel, shift) for place in places]
    stroke.hover(pens[0])
    stroke.press(pens[0])
    for pen in pens[1:]:
        stroke.drag(pen)
    stroke.release(pens[-1])
    return stroke


def clicked(stroke, *places, shift=False, mm_per_pixel=0.5):
    for place in places:
        pen = Pen(place, mm_per_pixel, shift)
        stroke.hover(pen)
        stroke.press(pen)
        stroke.release(pen)
    return stroke


def driven(tool, target, path, shift=False, look_at=lambda stroke: None):
    """The stroke after it was pressed, dragged and let go along a path, clicked again at its places, accepted and worked out."""
    stroke = tool.begin(target)
    pens = [Pen(place, 0.5, shift) for place in path]
    stroke.hover(pens[0])
    stroke.press(pens[0])
    for pen in pens[1:]:
        stroke.drag(pen)
        look_at(stroke)
    stroke.release(pens[-1])
    for pen in pens:
        if stroke.finished:
            break
        stroke.hover(pen)
        stroke.press(pen)
        stroke.release(pen)
        look_at(stroke)
    stroke.accept()
    if stroke.slow:
        stroke.work()
    look_at(stroke)
    return stroke
