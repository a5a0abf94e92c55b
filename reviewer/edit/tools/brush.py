"""The brush and the eraser: a disk or a ball that paints what it sweeps."""

from __future__ import annotations

from dataclasses import dataclass

from reviewer.edit.tools.setting import checked, setting
from reviewer.edit.tools.sweep import SweepStroke
from reviewer.edit.tools.tool import Pen, Target


@dataclass(frozen=True)
class Brush:
    """A round brush; with `erase` an eraser. Shift at the press turns the one into the other. A click paints the disk itself.

    radius_mm: 0.25 to 100 mm, else InputError.
    ball: paint the ball about the hand on all slices within reach, not only the disk on the slice shown. In a pane across the slices too:
          there the disk is a strip as wide as the pane is thick, the ball a ball.
    """

    radius_mm: float = setting(8.0, "Radius", "How far the disk reaches", unit="mm", least=0.25, most=100.0, step=0.5)
    erase: bool = False
    ball: bool = setting(False, "Ball", "Through all slices within reach, not only on the slice shown")

    def __post_init__(self) -> None:
        checked(self)

    @property
    def name(self) -> str:
        return "Eraser" if self.erase else "Brush"

    def begin(self, target: Target) -> BrushStroke:
        return BrushStroke(target, self)


class BrushStroke(SweepStroke):
    def __init__(self, target: Target, tool: Brush) -> None:
        super().__init__(target, tool.radius_mm, ball=tool.ball)
        self._erase = self.erasing = tool.erase
        self.label = tool.name

    def hover(self, pen: Pen) -> None:
        super().hover(pen)
        self.erasing = self._erase ^ pen.shift

    def press(self, pen: Pen) -> None:
        self._begin(pen, erase=self._erase ^ pen.shift)
        self.label = "Eraser" if self.erasing else "Brush"
