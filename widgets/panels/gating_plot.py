"""`GatingPlot`: the share outside and the motion in time, with the time that the beam is on shaded."""

from __future__ import annotations

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
        self._drawn: list[tuple[pg.PlotItem, object]] = []
        theme_changed.connect(self._dress)
        self._dress(theme())

    def show_traces(self, traces: list[Trace]) -> None:
        """The first in full, the others dashed; the shading is of the first."""
        self._traces = traces
        for plot, item in self._drawn:
            plot.removeItem(item)
        self._drawn = []
        if not traces:
            return
        t, first = theme(), traces[0]
        shade = pg.mkColor(t.good)
        shade.setAlpha(46)
        for plot in self._plots:
            if len(first.beam):
                bars = pg.BarGraphItem(
                    x0=first.beam[:, 0], x1=first.beam[:, 1], y0=np.full(len(first.beam), -TALL),
                    height=np.full(len(first.beam), 2 * TALL), brush=shade, pen=pg.mkPen(None),
                )  # fmt: skip
                bars.setZValue(-10)
                self._add(plot, bars, ignore=True)
        limit = pg.InfiniteLine(
            first.rule.outside_percent, angle=0, pen=pg.mkPen(t.caution, style=Qt.PenStyle.DashLine)
        )
        self._add(self._plots[0], limit, ignore=True)
        if first.labelled_percent is not None:
            self._curve(self._plots[0], first, first.labelled_percent, t.muted, Qt.PenStyle.DotLine)
        for trace, style in zip(reversed(traces), reversed(_styles(len(traces))), strict=True):
            self._curve(self._plots[0], trace, trace.outside_percent, t.text, style)
            for motion, colour in zip(trace.motion, (t.accent, t.caution), strict=True):
                self._curve(self._plots[1], trace, motion.mm, colour, style)
        top = max(20.0, *(float(np.nanmax(trace.outside_percent, initial=0.0)) for trace in traces))
        self._plots[0].setYRange(0, min(top, 100.0), padding=0.04)
        self._plots[1].enableAutoRange(y=True)
        self._plots[0].setXRange(float(first.times_s[0]), first.end_s, padding=0.0)
        self._titles()

    def point(self, time_s: float) -> None:
        for cursor in self._cursors:
            cursor.setValue(time_s)

    def _curve(self, plot: pg.PlotItem, trace: Trace, values: np.ndarray, colour: str, style: Qt.PenStyle) -> None:
        pen = pg.mkPen(colour, width=1.6 if style == Qt.PenStyle.SolidLine else 1.2, style=style)
        self._add(plot, pg.PlotCurveItem(trace.times_s, values, pen=pen, connect="finite", antialias=True))

    def _add(self, plot: pg.PlotItem, item: pg.GraphicsObject, ignore: bool = False) -> None:
        plot.addItem(item, ignoreBounds=ignore)
        self._drawn.append((plot, item))

    def _clicked(self, event: object) -> None:
        at = event.scenePos()  # type: ignore[attr-defined]
        for plot in self._plots:
            if plot.sceneBoundingRect().contains(QPointF(at)):
                self.chosen.emit(float(plot.getViewBox().mapSceneToView(at).x()))

    def _titles(self) -> None:
        t = theme()
        labelled = bool(self._traces) and self._traces[0].labelled_percent is not None
        self._plots[0].setLabel("left", "outside %", color=t.muted)
        names = [motion.way.name for motion in self._traces[0].motion] if self._traces else ["SI", "AP"]
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
        self._titles()
        self.show_traces(self._traces)


def _styles(count: int) -> list[Qt.PenStyle]:
    return [Qt.PenStyle.SolidLine, *[Qt.PenStyle.DashLine] * (count - 1)]
