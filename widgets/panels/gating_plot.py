"""`GatingPlot`: the share outside and the motion in time, with the time that the beam is on shaded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from reviewer.gating.trace import Trace

from ..theme import Theme, theme, theme_changed

TALL = 1e5
"""Half the height of the shading: beyond any axis."""


class GatingPlot(QWidget):
    """chosen: the time (s) that a hand has pointed at."""

    chosen = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gating.plot")
        self._traces: list[Trace] = []
        self._view = pg.GraphicsLayoutWidget()
        self._plots = [self._view.addPlot(row=row, col=0) for row in range(2)]
        self._plots[1].setXLink(self._plots[0])
        self._cursors = []
        for plot in self._plots:
            plot.setMouseEnabled(x=False, y=False)
            plot.setMenuEnabled(False)
            plot.hideButtons()
            plot.getAxis("left").setWidth(46)
            cursor = pg.InfiniteLine(0.0, angle=90)
            plot.addItem(cursor, ignoreBounds=True)
            self._cursors.append(cursor)
        self._plots[0].getAxis("bottom").setStyle(showValues=False)
        self._view.scene().sigMouseClicked.connect(self._clicked)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._view)
        self._limit = pg.InfiniteLine(angle=0)
        self._shades: list[pg.BarGraphItem] = []
        self._curves: list[pg.PlotCurveItem] = []
        theme_changed.connect(self._dress)
        self._dress(theme())

    def show_traces(self, traces: list[Trace]) -> None:
        """The first in full, the others dashed; the shading is of the first. What is drawn stays and takes the new numbers: a slider asks often."""
        if _kind(traces) != _kind(self._traces):
            self._clear()
        self._traces = traces
        if not traces:
            return
        if not self._curves:
            self._draw(traces)
        first = traces[0]
        for bars in self._shades:
            bars.setVisible(len(first.beam) > 0)
            if len(first.beam):
                bars.setOpts(x0=first.beam[:, 0], x1=first.beam[:, 1], y0=-TALL, height=2 * TALL)
        self._limit.setValue(first.rule.outside_percent)
        for curve, values in zip(self._curves, _values(traces), strict=True):
            if curve.yData is None or not np.array_equal(curve.yData, values, equal_nan=True):
                curve.setData(first.times_s, values)
        top = max(20.0, *(float(np.nanmax(trace.outside_percent, initial=0.0)) for trace in traces))
        self._plots[0].setYRange(0, min(top, 100.0), padding=0.04)
        self._plots[0].setXRange(float(first.times_s[0]), first.end_s, padding=0.0)

    def _draw(self, traces: list[Trace]) -> None:
        """All that is drawn of so many traces, still without numbers."""
        t = theme()
        shade = pg.mkColor(t.good)
        shade.setAlpha(46)
        for plot in self._plots:
            bars = pg.BarGraphItem(x0=[0.0], x1=[0.0], y0=0.0, height=0.0, brush=shade, pen=pg.mkPen(None))
            bars.setZValue(-10)
            plot.addItem(bars, ignoreBounds=True)
            self._shades.append(bars)
        self._limit.setPen(pg.mkPen(t.caution, style=Qt.PenStyle.DashLine))
        self._plots[0].addItem(self._limit, ignoreBounds=True)
        if traces[0].labelled_percent is not None:
            self._curve(self._plots[0], t.muted, Qt.PenStyle.DotLine)
        for style in reversed(_styles(len(traces))):
            self._curve(self._plots[0], t.text, style)
            for colour in (t.accent, t.caution):
                self._curve(self._plots[1], colour, style)
        self._plots[1].enableAutoRange(y=True)
        self._titles(traces)

    def _clear(self) -> None:
        for plot in self._plots:
            for item in (*self._shades, *self._curves, self._limit):
                if item in plot.items:
                    plot.removeItem(item)
        self._shades, self._curves = [], []

    def point(self, time_s: float) -> None:
        for cursor in self._cursors:
            cursor.setValue(time_s)

    def _curve(self, plot: pg.PlotItem, colour: str, style: Qt.PenStyle) -> None:
        pen = pg.mkPen(colour, width=1.6 if style == Qt.PenStyle.SolidLine else 1.2, style=style)
        curve = pg.PlotCurveItem(pen=pen, connect="finite", antialias=True)
        plot.addItem(curve)
        self._curves.append(curve)

    def _clicked(self, event: object) -> None:
        at = event.scenePos()  # type: ignore[attr-defined]
        for plot in self._plots:
            if plot.sceneBoundingRect().contains(QPointF(at)):
                self.chosen.emit(float(plot.getViewBox().mapSceneToView(at).x()))

    def _titles(self, traces: list[Trace]) -> None:
        t = theme()
        labelled = bool(traces) and traces[0].labelled_percent is not None
        self._plots[0].setLabel("left", "outside %", color=t.muted)
        names = [motion.way.name for motion in traces[0].motion] if traces else ["SI", "AP"]
        html = " ".join(
            f'<span style="color:{c}">{n}</span>' for n, c in zip(names, (t.accent, t.caution), strict=True)
        )
        self._plots[1].setLabel("left", f"{html} mm", color=t.muted)
        dotted = ", dotted: as labelled" if labelled else ""
        self._plots[1].setLabel("bottom", f"time (s), beam on shaded{dotted}", color=t.muted)

    def _dress(self, t: Theme) -> None:
        self._view.setBackground(t.panel)
        for plot, cursor in zip(self._plots, self._cursors, strict=True):
            for side in ("left", "bottom"):
                plot.getAxis(side).setPen(pg.mkPen(t.muted))
                plot.getAxis(side).setTextPen(pg.mkPen(t.muted))
            cursor.setPen(pg.mkPen(t.text, width=1))
        self._titles(self._traces)
        self._clear()
        self.show_traces(self._traces)


def _styles(count: int) -> list[Qt.PenStyle]:
    return [Qt.PenStyle.SolidLine, *[Qt.PenStyle.DashLine] * (count - 1)]


def _kind(traces: list[Trace]) -> tuple[object, ...]:
    """What decides which curves there are, and what the axes are called."""
    return tuple((t.labelled_percent is not None, *(motion.way.name for motion in t.motion)) for t in traces)


def _values(traces: list[Trace]) -> Iterator[np.ndarray]:
    """Of the curves, in the order in which they are drawn: the first trace last, above the others."""
    if traces[0].labelled_percent is not None:
        yield traces[0].labelled_percent
    for trace in reversed(traces):
        yield trace.outside_percent
        yield from (motion.mm for motion in trace.motion)
