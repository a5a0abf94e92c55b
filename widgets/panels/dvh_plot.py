"""`DvhPlot`: the curves themselves. Loaded late, for pyqtgraph takes most of a second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from html import escape

import numpy as np
import pyqtgraph as pg
import shapely
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QWidget

from reviewer.case import Colour
from reviewer.dosimetry.dvh import Dvh

from ..theme import Theme, theme, theme_changed

NEAR_PX = 10.0
DASHES = ([6.0, 3.5], [2.0, 2.5], [8.0, 3.0, 2.0, 3.0])
"""Strokes of the curves of the second, third … dose."""

TARGETS = ("GTV", "CTV", "PTV")
Floats = NDArray[np.float64]
Key = tuple[str, str]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """A structure's DVH as it is to be drawn, in a dose. other: 0 in the one that is shown; in those beside it the number of the dashes."""

    structure_id: str
    colour: Colour
    type: str
    dvh: Dvh
    dose_id: str = ""
    other: int = 0

    @property
    def key(self) -> Key:
        """The same whichever dose is shown: plans that take turns change their dashes and nothing else."""
        return self.structure_id, self.dose_id


@dataclass(frozen=True)
class Axes:
    """full_dose_gy: the dose that is 100 %, None for an axis in Gy. relative_volume: in % of the volume with known dose, else in cc."""

    full_dose_gy: float | None = None
    relative_volume: bool = True

    def dose(self, gy: Floats | float) -> Floats | float:
        return gy if self.full_dose_gy is None else gy * (100.0 / self.full_dose_gy)

    def volume(self, cc: Floats | float, dvh: Dvh) -> Floats | float:
        return cc * (100.0 / dvh.known_cc) if self.relative_volume and dvh.known_cc else cc


class DvhPlot(pg.PlotWidget):
    """hovered: structure id (empty when none) and the dose in Gy at the point of its curve nearest to the pointer."""

    hovered = Signal(str, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dvhPlot")
        self._curves: dict[Key, Curve] = {}
        self._lines: dict[Key, pg.PlotCurveItem] = {}
        self._tails: dict[Key, pg.PlotCurveItem] = {}
        self._axes = Axes()
        self._highlighted: str | None = None
        self._scaled: tuple[Pair, Pair, Pair] = ((0, 0), (0.0, 0.0), (0.0, 0.0))
        """Pixels of the box of the curves, and the ranges of its axes."""
        self._titled: dict[str, tuple[str, str]] = {}
        self._dose = "Dose"
        item = self.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.getViewBox().setDefaultPadding(0.0)
        item.showGrid(x=True, y=True, alpha=0.18)
        for side in ("left", "bottom"):
            item.getAxis(side).enableAutoSIPrefix(False)
            item.getAxis(side).setStyle(tickLength=-4, hideOverlappingLabels=True, tickTextOffset=3)
            item.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
        item.getAxis("bottom").setHeight(32)
        self._reference = pg.InfiniteLine(angle=90, movable=False)
        self._reference.setZValue(-5)
        self.addItem(self._reference)
        self._marker = pg.ScatterPlotItem(size=9, pxMode=True)
        self._marker.setZValue(50)
        self._marker.hide()
        self.addItem(self._marker)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self._dress(theme())
        theme_changed.connect(self._dress)

    # -- what is drawn --------------------------------------------------------------------------------------------------

    @property
    def shown(self) -> tuple[str, ...]:
        """Ids of the structures with a curve in the dose that is shown."""
        return tuple(curve.structure_id for curve in self._curves.values() if not curve.other)

    def data(self, structure_id: str) -> tuple[Floats, Floats]:
        """The points of a curve in the dose that is shown as drawn, in the units of the axes. Raises KeyError where there is none."""
        curve = self._shown(structure_id)
        if curve is None:
            raise KeyError(structure_id)
        x, y = self._lines[curve.key].getData()
        return np.asarray(x), np.asarray(y)

    def _shown(self, structure_id: str | None) -> Curve | None:
        found = (c for c in self._curves.values() if c.structure_id == structure_id and not c.other)
        return next(found, None)

    def show_curves(
        self, curves: Iterable[Curve], axes: Axes, reference_gy: float | None = None, dose: str = "Dose"
    ) -> None:
        """Draw these; what has not changed is left alone. reference_gy: marked by a line. dose: what the axis is called."""
        self._dose = dose
        wanted = {c.key: c for c in curves if len(c.dvh.dose_gy)}
        turned = axes != self._axes
        self._axes = axes
        for gone in [i for i in self._curves if i not in wanted]:
            self.removeItem(self._lines.pop(gone))
            self._take_tail_away(gone)
            del self._curves[gone]
        before, self._curves = self._curves, wanted
        if self._scale() or turned:
            before = {}
        for key, curve in wanted.items():
            known = before.get(key)
            if known is None or known.dvh is not curve.dvh:
                self._draw(curve)
            elif known != curve:
                self._pen(curve)
        self._reference.setVisible(reference_gy is not None and bool(wanted))
        if reference_gy is not None:
            self._reference.setValue(axes.dose(reference_gy))
        self.mark(None, 0.0)
        # Else the scene tells the view a turn later what is to be painted, and the curves come behind the other numbers.
        QCoreApplication.sendPostedEvents(self.scene(), QEvent.Type.MetaCall)

    def highlight(self, structure_id: str | None) -> None:
        before, self._highlighted = self._highlighted, structure_id
        if before == structure_id:
            return
        for curve in self._curves.values():
            if curve.structure_id in (before, structure_id):
                self._pen(curve)

    def mark(self, structure_id: str | None, dose_gy: float) -> None:
        """Put the dot on a curve, or take it away."""
        curve = self._shown(structure_id)
        self._marker.setVisible(curve is not None)
        if curve is None:
            return
        volume = self._axes.volume(curve.dvh.volume_at_cc(dose_gy), curve.dvh)
        colour = QColor(*curve.colour)
        self._marker.setData([self._axes.dose(dose_gy)], [volume], brush=colour, pen=pg.mkPen(theme().text, width=1))

    def _scale(self) -> bool:
        """Ranges and titles of the axes; True where the curves need other points. The skin counts only where nothing else is shown."""
        curves = list(self._curves.values())
        measured = [c for c in curves if c.type != "EXTERNAL"] or curves
        top = max((float(c.dvh.dose_gy[-1]) for c in curves), default=1.0)
        full = max((c.dvh.known_cc for c in measured), default=1.0)
        box = self.getPlotItem().getViewBox()
        axes = self._axes
        size = (max(50, int(box.width())), max(50, int(box.height())))
        # Above the whole of a structure there is room for the upper half of its number.
        above = max(1.04, size[1] / (size[1] - self.fontMetrics().height() / 2))
        x_range = (0.0, 1.04 * float(axes.dose(max(top, 0.1))))
        y_range = (0.0, above * (100.0 if axes.relative_volume else max(full, 1e-3)))
        changed = self._scaled != (size, x_range, y_range)
        if changed:
            self._scaled = size, x_range, y_range
            box.setRange(xRange=x_range, yRange=y_range, padding=0.0)
        self._titles()
        return changed

    def _titles(self) -> None:
        t = theme()
        style = {"color": t.muted, "font-size": "8pt"}
        unit = "Gy" if self._axes.full_dose_gy is None else f"% of {self._axes.full_dose_gy:g} Gy"
        room = max(60, self.width() - 60 - self.fontMetrics().horizontalAdvance(f" ({unit})"))
        name = escape(self.fontMetrics().elidedText(self._dose, Qt.TextElideMode.ElideMiddle, room))
        titles = {"bottom": f"{name} ({unit})", "left": "Volume (%)" if self._axes.relative_volume else "Volume (cc)"}
        for side, title in titles.items():
            if self._titled.get(side) != (title, t.muted):  # a title that is set anew has its whole axis painted anew
                self._titled[side] = title, t.muted
                self.getPlotItem().setLabel(side, title, **style)

    def _draw(self, curve: Curve) -> None:
        dvh, axes = curve.dvh, self._axes
        line = self._lines.get(curve.key)
        if line is None:
            line = self._lines[curve.key] = pg.PlotCurveItem(antialias=True)
            line.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            self.addItem(line)
        (width, height), (_, right), (_, top) = self._scaled
        gy, cc = thinned(dvh, width * float(axes.dose(1.0)) / right, height * float(axes.volume(1.0, dvh)) / top)
        if dvh.outside_fraction > 0:
            self._draw_tail(curve, float(gy[0]))
        else:
            self._take_tail_away(curve.key)
            gy, cc = np.append(0.0, gy), np.append(dvh.known_cc, cc)
        line.setData(axes.dose(gy), axes.volume(cc, dvh))
        self._pen(curve)

    def _take_tail_away(self, key: Key) -> None:
        if key in self._tails:
            self.removeItem(self._tails.pop(key))

    def _draw_tail(self, curve: Curve, first_gy: float) -> None:
        """From zero dose to the lowest known one nothing is measured: where part of the structure lies outside the grid, dashed."""
        dvh, axes = curve.dvh, self._axes
        tail = self._tails.get(curve.key)
        if tail is None:
            tail = self._tails[curve.key] = pg.PlotCurveItem(antialias=True)
            tail.setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)
            self.addItem(tail)
        start = 0.0 if axes.relative_volume else dvh.volume_cc
        gy = np.array([0.0, 0.0, first_gy]) if start else np.array([0.0, first_gy])
        cc = np.array([start, dvh.known_cc, dvh.known_cc]) if start else np.array([dvh.known_cc, dvh.known_cc])
        tail.setData(axes.dose(gy), axes.volume(cc, dvh))

    def _pen(self, curve: Curve) -> None:
        bold = curve.structure_id == self._highlighted
        pen = QPen(_readable(QColor(*curve.colour), theme()))
        pen.setCosmetic(True)
        pen.setWidthF(3.0 if bold else 1.9 if curve.type in TARGETS else 1.25)
        if curve.other:
            pen.setDashPattern(DASHES[min(curve.other, len(DASHES)) - 1])
        dashed = QPen(pen)
        dashed.setDashPattern([4.0, 4.0])
        for item, its_pen in ((self._lines[curve.key], pen), (self._tails.get(curve.key), dashed)):
            if item is not None:
                item.setPen(its_pen)
                item.setZValue(20 if bold else 10 if curve.type in TARGETS else 0)

    def _dress(self, t: Theme) -> None:
        self.setBackground(t.panel)
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(t.muted))
            axis.setTextPen(pg.mkPen(t.muted))
        self._reference.setPen(pg.mkPen(t.muted, width=1, style=Qt.PenStyle.DotLine))
        self._titles()
        for curve in self._curves.values():
            self._pen(curve)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if hasattr(self, "_scaled") and self._curves and self._scale():
            for curve in self._curves.values():
                self._draw(curve)

    # -- hands ----------------------------------------------------------------------------------------------------------

    def nearest(self, position: QPointF) -> tuple[str, float] | None:
        """Structure and dose (Gy) of the point of a curve nearest to a place in the widget, None where none is near."""
        box = self.getPlotItem().getViewBox()
        scene = self.mapToScene(position.toPoint())
        area = box.sceneBoundingRect()
        if not area.adjusted(-NEAR_PX, -NEAR_PX, NEAR_PX, NEAR_PX).contains(QPointF(scene)):
            return None
        found: list[tuple[float, int, str, float]] = []
        for key, line in self._lines.items():
            if self._curves[key].other:  # the readout speaks of the dose that is shown
                continue
            x, y = line.getData()
            if key in self._tails:
                x, y = (np.concatenate(pair) for pair in zip(self._tails[key].getData(), (x, y), strict=True))
            px, py = _to_pixels(x, y, box.viewRange(), area)
            distance, at = _nearest_on(px, py, scene.x(), scene.y())
            if distance <= NEAR_PX:
                dose = float(np.interp(at, np.arange(len(x)), x)) / float(self._axes.dose(1.0))
                found.append((round(distance), -int(self._curves[key].type in TARGETS), key[0], dose))
        if not found:
            return None
        best = min(found)
        return best[2], best[3]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        near = self.nearest(event.position())
        self.mark(*(near or (None, 0.0)))
        self.hovered.emit(*(near or ("", 0.0)))

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.mark(None, 0.0)
        self.hovered.emit("", 0.0)


@lru_cache(128)  # two plans that take turns
def thinned(dvh: Dvh, px_per_gy: float, px_per_cc: float) -> tuple[Floats, Floats]:
    """Those points of the curve, dose (Gy) and volume (cc), without which it would move by a fifth of a pixel; at the end straight down."""
    scale = np.array([px_per_gy, px_per_cc])
    points = np.column_stack([np.append(dvh.dose_gy, dvh.dose_gy[-1]), np.append(dvh.cumulative_cc, 0.0)]) * scale
    # Half of that is given to leaving out most of the thousands at once: dose only rises and volume only falls, so none is further away.
    first = np.diff(np.floor((points[:, 0] - points[:, 1]) * 10), prepend=np.nan) != 0
    first[-1] = True
    line = shapely.LineString(points[first])
    kept = shapely.get_coordinates(shapely.simplify(line, 0.1, preserve_topology=False)) / scale
    return kept[:, 0], kept[:, 1]


def _to_pixels(x: Floats, y: Floats, ranges: list[list[float]], area: QRectF) -> tuple[Floats, Floats]:
    (x0, x1), (y0, y1) = ranges
    return area.left() + (x - x0) / (x1 - x0) * area.width(), area.bottom() - (y - y0) / (y1 - y0) * area.height()


def _nearest_on(px: Floats, py: Floats, x: float, y: float) -> tuple[float, float]:
    """Distance in pixels from a polyline to a point, and where on it, in fractional indices."""
    dx, dy = np.diff(px), np.diff(py)
    length2 = np.maximum(dx * dx + dy * dy, 1e-12)
    part = np.clip(((x - px[:-1]) * dx + (y - py[:-1]) * dy) / length2, 0.0, 1.0)
    distance = np.hypot(px[:-1] + part * dx - x, py[:-1] + part * dy - y)
    best = int(np.argmin(distance))
    return float(distance[best]), best + float(part[best])


def _readable(colour: QColor, t: Theme) -> QColor:
    """A structure's colour, darker on a light ground or lighter on a dark one where it would not be seen."""
    lightness = colour.lightnessF()
    if t.name == "light" and lightness > 0.5:
        colour.setHslF(max(colour.hslHueF(), 0.0), colour.hslSaturationF(), 0.42)
    elif t.name == "dark" and lightness < 0.38:
        colour.setHslF(max(colour.hslHueF(), 0.0), colour.hslSaturationF(), 0.5)
    return colour
