"""Agreement slice by slice: the strip below the table, and where the contours of a slice lie farthest apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QBrush, QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QToolTip, QWidget

from reviewer.case import Case, Structure
from reviewer.comparison import SliceComparison
from reviewer.geometry.grid import orientation_letters
from reviewer.geometry.region import Region
from reviewer.geometry.section import section
from reviewer.scene import Point, Scene

from ..canvas.differences import COLOUR_A, COLOUR_B
from ..theme import theme

Measure = Literal["hausdorff", "mean", "dice"]
STEP_MM = 0.5
"""Contours are looked at this often for their farthest points."""

FOOT, HEAD = 14, 4
MIDDLE = 0.5


@dataclass(frozen=True)
class Mark:
    """A slice in the strip. place: its position in words, as the views say it; found: its measures."""

    place: str
    found: SliceComparison

    @property
    def only(self) -> str:
        """The side that alone has a contour here, empty where both have."""
        a, b = self.found.area_mm2
        return "A" if b == 0 else "B" if a == 0 else ""


def value_of(found: SliceComparison, measure: Measure) -> float | None:
    if measure == "dice":
        return found.dice
    return found.hausdorff_mm if measure == "hausdorff" else found.mean_distance_mm


def worst(slices: Sequence[SliceComparison]) -> int | None:
    """The slice with the largest 2D Hausdorff distance, of those within 0.1 mm the one with the largest areas."""
    if not slices:
        return None
    return max(range(len(slices)), key=lambda n: (round(slices[n].hausdorff_mm or 0.0, 1), sum(slices[n].area_mm2)))


def farthest_point(a: Structure, b: Structure, to_b: NDArray[np.float64], position_mm: float) -> NDArray[np.float64]:
    """(3,) patient point (mm, a's frame) of the plane w = position_mm of a where one contour lies farthest from the other.

    Where only one of the two is there, a point within it.
    """
    right, down, along = a.grid.axes
    origin = position_mm * along
    regions = [section(s, tie, origin, right, down) for s, tie in ((a, np.eye(4)), (b, to_b))]
    u, v = _farthest(regions[0], regions[1])
    return u * right + v * down + origin


def _farthest(a: Region | None, b: Region | None) -> tuple[float, float]:
    if a is None or b is None:
        region = a if a is not None else b
        inside = region.representative_point() if region is not None else shapely.Point(0.0, 0.0)
        return float(inside.x), float(inside.y)
    found = []
    for one, other in ((a, b), (b, a)):
        points = shapely.get_coordinates(shapely.segmentize(one.boundary, STEP_MM))
        away = shapely.distance(shapely.points(points), other.boundary)
        n = int(np.argmax(away))
        found.append((float(away[n]), float(points[n, 0]), float(points[n, 1])))
    return max(found)[1:]


def marks_of(case: Case, scene: Scene, a: Structure, slices: Sequence[SliceComparison]) -> tuple[Mark, ...]:
    """Slices with their positions as the views count them, or along a's own planes where a is not tied to the base image."""
    along = np.asarray(a.grid.axes[2], dtype=np.float64)
    middle = a.planes[sorted(a.planes)[len(a.planes) // 2]].centroid
    points = [a.grid.point_mm(np.array([middle.x, middle.y, s.position_mm])) for s in slices]
    normal = along * (1.0 if along[int(np.argmax(np.abs(along)))] > 0 else -1.0)
    if scene.base is not None and scene.compared is not None:
        base = scene.base.image.grid.frame_of_reference_uid
        matrix = case.transform(a.grid.frame_of_reference_uid, base)
        points = [(matrix @ [*p, 1.0])[:3] for p in points]
        normals = [np.array(plane.normal) for plane in scene.planes.values()]
        normal = max(normals, key=lambda n: abs(float(n @ matrix[:3, :3] @ along)))
    return tuple(Mark(_place(normal, float(p @ normal)), s) for p, s in zip(points, slices, strict=True))


def _place(normal: NDArray[np.float64], position: float) -> str:
    return f"{orientation_letters(tuple(normal if position >= 0 else -normal))} {abs(position):.1f} mm"


class SliceStrip(QWidget):
    """A bar for every slice; a slice with one contour only says which, A or B. A click asks for a slice: `wanted(number)`."""

    wanted = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("comparison.strip")
        self.setAccessibleName("Agreement slice by slice")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumHeight(64)
        self.marks: tuple[Mark, ...] = ()
        self.measure: Measure = "hausdorff"
        self.here: int | None = None

    def sizeHint(self) -> QSize:
        return QSize(400, 72)

    def show_slices(self, marks: tuple[Mark, ...], measure: Measure, here: int | None) -> None:
        """here: the slice that the crosshair is on, None where it is on none."""
        if (self.marks, self.measure, self.here) != (marks, measure, here):
            self.marks, self.measure, self.here = marks, measure, here
            self.update()

    @property
    def top(self) -> float:
        """The value that fills the height: 1 for Dice, else the largest, at least 1 mm."""
        if self.measure == "dice":
            return 1.0
        return max([1.0, *(value_of(m.found, self.measure) or 0.0 for m in self.marks)])

    @property
    def _left(self) -> float:
        return self.fontMetrics().horizontalAdvance("00.0 mm") + 8.0

    def bar(self, number: int) -> QRectF:
        """The column of a slice, from top to bottom of the plot."""
        width = (self.width() - self._left - 4) / max(len(self.marks), 1)
        return QRectF(self._left + number * width, HEAD, width, self.height() - HEAD - FOOT)

    def at(self, x: float) -> int | None:
        if not self.marks or x < self._left:
            return None
        width = self.bar(0).width()
        n = int((x - self._left) / width) if width > 0 else -1
        return n if 0 <= n < len(self.marks) else None

    def text_of(self, number: int) -> str:
        mark = self.marks[number]
        found = mark.found
        if mark.only:
            side = 0 if mark.only == "A" else 1
            return f"{mark.place}: only {mark.only} has a contour here, {found.area_mm2[side] / 100:.1f} cm²"
        return (
            f"{mark.place}: Dice {found.dice:.3f}, Hausdorff {found.hausdorff_mm:.1f} mm, mean {found.mean_distance_mm:.1f} mm, "
            f"area A {found.area_mm2[0] / 100:.1f} cm², B {found.area_mm2[1] / 100:.1f} cm²"
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        number = self.at(event.position().x())
        if number is not None and event.button() == Qt.MouseButton.LeftButton:
            self.wanted.emit(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None or not self.marks:
            super().keyPressEvent(event)
            return
        here = (0 if step > 0 else len(self.marks) - 1) if self.here is None else self.here + step
        if 0 <= here < len(self.marks):
            self.wanted.emit(here)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.at(event.pos().x())
            QToolTip.showText(event.globalPos(), "" if number is None else self.text_of(number), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme()
        font = self.font()
        font.setPointSizeF(font.pointSizeF() - 1)
        painter.setFont(font)
        muted = QColor(colours.muted)
        plot = QRectF(self._left, HEAD, self.width() - self._left - 4, self.height() - HEAD - FOOT)
        painter.fillRect(plot, QColor(colours.window))
        if not self.marks:
            painter.setPen(muted)
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, "choose a structure to see its slices")
            painter.end()
            return
        top = self.top
        for number, mark in enumerate(self.marks):
            self._paint_bar(painter, self.bar(number), mark, top)
        if self.here is not None:
            column = self.bar(self.here)
            painter.setPen(QPen(QColor(colours.accent), 1.4))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(column.adjusted(0, -2, -0.5, 2))
        painter.setPen(muted)
        edge = QRectF(0, HEAD - 3, self._left - 6, 14)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(edge, right, "1" if self.measure == "dice" else f"{top:.1f} mm")
        painter.drawText(QRectF(0, plot.bottom() - 11, self._left - 6, 14), right, "0")
        foot = QRectF(plot.left(), plot.bottom() + 1, plot.width(), FOOT - 1)
        painter.drawText(foot, Qt.AlignmentFlag.AlignLeft, self.marks[0].place)
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, self.marks[-1].place)
        if self.here is not None:
            painter.setPen(QColor(colours.text))
            painter.drawText(foot, Qt.AlignmentFlag.AlignHCenter, self._short(self.here))
        painter.end()

    def _short(self, number: int) -> str:
        mark = self.marks[number]
        if mark.only:
            return f"{mark.place}   only {mark.only}"
        return f"{mark.place}   Dice {mark.found.dice:.2f}   HD {mark.found.hausdorff_mm:.1f} mm"

    def _paint_bar(self, painter: QPainter, column: QRectF, mark: Mark, top: float) -> None:
        gap = 1.0 if column.width() > 3 else 0.0
        value = value_of(mark.found, self.measure)
        if mark.only:
            one = COLOUR_A if mark.only == "A" else COLOUR_B
            pattern = Qt.BrushStyle.BDiagPattern if mark.only == "A" else Qt.BrushStyle.FDiagPattern
            painter.fillRect(column.adjusted(gap, 0, -gap, 0), QBrush(one, pattern))
            if column.width() >= 8:
                painter.setPen(QColor(theme().text))
                painter.drawText(column, Qt.AlignmentFlag.AlignCenter, mark.only)
        elif value is not None:
            height = column.height() * min(value / top, 1.0)
            painter.fillRect(
                QRectF(
                    column.left() + gap, column.bottom() - max(height, 1.0), column.width() - 2 * gap, max(height, 1.0)
                ),
                QColor(theme().muted),
            )


def crosshair_slice(
    a: Structure, to_a: NDArray[np.float64], point_mm: Point, slices: Sequence[SliceComparison]
) -> int | None:
    """The slice nearest to the crosshair (base frame, mm), None where it is farther away than the slices from each other."""
    if not slices:
        return None
    w = float(a.grid.uvw_mm((to_a @ [*point_mm, 1.0])[:3])[2])
    away = np.abs(np.array([s.position_mm for s in slices]) - w)
    n = int(np.argmin(away))
    return n if away[n] <= MIDDLE * max(a.grid.spacing_w_mm, 1e-3) + 1e-3 else None
