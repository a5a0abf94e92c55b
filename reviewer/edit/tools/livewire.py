"""The livewire: between clicks the outline runs along the edges of the image shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from reviewer.case import Window
from reviewer.edit.operations.livewire import Wire, picture
from reviewer.edit.tools.outline import PICK_PIXELS, EnclosingStroke
from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.tool import Floats, Guide, Pen, Place, Target
from reviewer.errors import InputError


@dataclass(frozen=True)
class Livewire:
    """Anchors by clicks; the path to the hand is shown while it moves. Enter, a double click or a click on the first anchor closes the outline,
    Backspace takes back the last anchor. With Ctrl the line to the hand is straight, and the anchor stands where the hand is.

    What is enclosed is added; with Shift at the first click it is taken away.
    window: grey window in which the image is shown; what it leaves black or white shows no edges. Set by the view, not by the panel.
    """

    snap_mm: float = setting(
        1.0, "Snap", "An anchor jumps to the strongest edge within this distance of the click",
        unit="mm", least=0.0, most=10.0, step=0.5,
    )  # fmt: skip
    window: Window | None = None

    def __post_init__(self) -> None:
        checked(self)

    @property
    def name(self) -> str:
        return "Livewire"

    def begin(self, target: Target) -> LivewireStroke:
        if target.image is None:
            raise InputError("the livewire follows the edges of an image", remedy="show an image")
        return LivewireStroke(target, self)


class LivewireStroke(EnclosingStroke):
    """`_path` holds the anchors, `_segments` what runs between them."""

    label = "Livewire"

    def __init__(self, target: Target, tool: Livewire) -> None:
        super().__init__(target)
        self._tool = tool
        self._segments: list[Floats] = []
        self._live: Floats | None = None

    @cached_property
    def _wire(self) -> Wire:
        pane, image = self.target.pane, self.target.image
        if image is None:
            raise InputError("the livewire follows the edges of an image", remedy="show an image")
        to_image = self.target.to_image @ self.target.to_structure
        return Wire(picture(image, to_image, pane.right, pane.down, pane.point_mm), self._tool.window)

    @property
    def outline(self) -> Sequence[Place] | Floats:
        return np.concatenate(self._segments) if self._segments else []

    def hover(self, pen: Pen) -> None:
        if not self._path:
            self.erasing = pen.shift
        else:
            self._live = self._segment(self._path[-1], self._anchor(pen), straight=pen.ctrl)

    def press(self, pen: Pen) -> None:
        anchor = self._anchor(pen)
        if not self._path:
            self.erasing = pen.shift
            self._path.append(anchor)
        elif len(self._path) >= 3 and math.dist(self._path[0], pen.at_mm) < PICK_PIXELS * pen.mm_per_pixel:
            self.accept()
        elif math.dist(self._path[-1], anchor) > 2 * pen.mm_per_pixel:
            self._segments.append(self._segment(self._path[-1], anchor, straight=pen.ctrl))
            self._path.append(anchor)
            self._changed()
        self._live = None

    def accept(self) -> None:
        if len(self._path) < 2:
            self.note = "a livewire needs two anchors at least"
            return
        # The cheapest way back between two anchors is the way there: it would enclose nothing.
        if len(self._path) > 2:
            self._segments.append(self._segment(self._path[-1], self._path[0], straight=False))
        self._live = None
        self._changed()
        self.finished = True

    @property
    def open(self) -> bool:
        return bool(self._path) and not self.finished

    def step_back(self) -> None:
        if self._path:
            self._path.pop()
            if self._segments:
                self._segments.pop()
            self._live = None
            self._changed()

    @property
    def guides(self) -> tuple[Guide, ...]:
        if not self._path:
            return ()
        found = [Guide("handle", np.array(self._path))]
        if self._segments:
            found.insert(0, Guide("line", np.concatenate(self._segments)))
        if self._live is not None and not self.finished:
            found.append(Guide("line", self._live))
            found.append(Guide("ghost", np.array([self._live[-1], self._path[0]])))
        return tuple(found)

    def _anchor(self, pen: Pen) -> Place:
        return pen.at_mm if pen.ctrl else self._wire.snapped(pen.at_mm, self._tool.snap_mm)

    def _segment(self, start: Place, end: Place, *, straight: bool) -> Floats:
        return np.array([start, end]) if straight else self._wire.path(start, end)
