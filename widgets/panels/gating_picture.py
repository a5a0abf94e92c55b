"""`CinePicture`: one frame of a cine with target, boundary, and what lies outside; `Player`: which frame, and how fast."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from PySide6.QtCore import QElapsedTimer, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSlider, QVBoxLayout, QWidget

from reviewer.case import Cine
from reviewer.gating.trace import Trace
from reviewer.geometry.grid import orientation_letters
from reviewer.geometry.region import Region, region_of, rings_of

from ..actions import Actions
from ..theme import RHYTHM, muted, theme
from .layers import tool_button

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
TICK_MS = 15
MARGIN_PX = 18
TRACKED, OTHER, LABELLED, OUTSIDE = "#4ec9ff", "#c58af0", "#f4f4f4", "#f0764a"
"""On the black of the pictures, in both themes; each has a line or a hatching of its own."""


@dataclass(frozen=True)
class Shown:
    """A trace in the picture. dashed: the one that another is compared with."""

    trace: Trace
    dashed: bool = False


class CinePicture(QWidget):
    """drawn: corners of a target, (column, row) in pixels, closed by a double click or Enter."""

    drawn = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gating.picture")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(280, 240)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._cine: Cine | None = None
        self._frame = 0
        self._shown: tuple[Shown, ...] = ()
        self._low, self._scale = 0.0, 1.0
        self._corners: list[QPointF] | None = None

    def show_cine(self, cine: Cine | None) -> None:
        self._cine, self._frame, self._shown, self._corners = cine, 0, (), None
        if cine is not None:
            low, high = np.percentile(cine.frames[:: max(1, len(cine.frames) // 8)], (1.0, 99.5))
            self._low, self._scale = float(low), 255.0 / max(float(high - low), 1e-6)
        self.update()

    def show_frame(self, frame: int) -> None:
        self._frame = frame
        self.update()

    def show_traces(self, shown: tuple[Shown, ...]) -> None:
        self._shown = shown
        self.update()

    def draw(self, on: bool) -> None:
        """Take corners of a target from the mouse, or stop."""
        self._corners = [] if on else None
        self.setCursor(Qt.CursorShape.CrossCursor if on else Qt.CursorShape.ArrowCursor)
        self.update()

    @property
    def drawing(self) -> bool:
        return self._corners is not None

    def sizeHint(self) -> QSize:
        return QSize(520, 430)

    # -- where ----------------------------------------------------------------------------------------------------------

    def _place(self) -> tuple[QRectF, float, float]:
        """The picture's rectangle, and pixels of the screen per column and row."""
        cine = self._cine
        assert cine is not None
        rows, columns = cine.frames.shape[1:]
        dx, dy = cine.grid.spacing_uv_mm
        scale = min((self.width() - 2 * MARGIN_PX) / (columns * dx), (self.height() - 2 * MARGIN_PX) / (rows * dy))
        width, height = columns * dx * scale, rows * dy * scale
        return QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height), scale * dx, scale * dy

    def pixel_at(self, position: QPointF) -> QPointF:
        """(column, row) of a place in the widget; whole numbers at pixel centres."""
        area, x, y = self._place()
        return QPointF((position.x() - area.left()) / x - 0.5, (position.y() - area.top()) / y - 0.5)

    def _path(self, region: Region) -> QPainterPath:
        cine = self._cine
        assert cine is not None
        area, x, y = self._place()
        origin, spacing = np.array(cine.grid.origin_uv_mm), np.array(cine.grid.spacing_uv_mm)
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.OddEvenFill)
        for ring in rings_of(region):
            at = ((ring - origin) / spacing + 0.5) * (x, y) + (area.left(), area.top())
            path.moveTo(*at[0])
            for point in at[1:]:
                path.lineTo(*point)
            path.closeSubpath()
        return path

    # -- painting -------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        t = theme()
        painter.fillRect(self.rect(), QColor(t.canvas))
        if self._cine is None:
            return
        area, _, _ = self._place()
        values = (self._cine.frames[self._frame].astype(np.float32) - self._low) * self._scale
        grey = np.ascontiguousarray(np.clip(values, 0, 255).astype(np.uint8))
        image = QImage(grey.data, grey.shape[1], grey.shape[0], grey.strides[0], QImage.Format.Format_Grayscale8)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(area, image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for shown in reversed(self._shown):
            self._paint_trace(painter, shown)
        self._paint_corners(painter)
        self._paint_words(painter, area)

    def _paint_trace(self, painter: QPainter, shown: Shown) -> None:
        t, trace = theme(), shown.trace
        if not shown.dashed:
            painter.setPen(QPen(QColor(t.canvas_accent), 1.5, Qt.PenStyle.DashLine))
            painter.drawPath(self._path(trace.boundary))
            labelled = trace.track.target.labelled
            drawn = labelled[self._frame] if labelled else None
            if drawn is not None:
                painter.setPen(QPen(QColor(LABELLED), 1.2))
                painter.drawPath(self._path(drawn))
        region = trace.track.regions[self._frame]
        if region is None:
            return
        outside = region_of(shapely.difference(region, trace.boundary))
        if outside is not None and not shown.dashed:
            colour = QColor(OUTSIDE)
            colour.setAlpha(150)
            painter.fillPath(self._path(outside), QBrush(colour))
            painter.fillPath(self._path(outside), QBrush(QColor("#ffffff"), Qt.BrushStyle.BDiagPattern))
        style = Qt.PenStyle.DotLine if shown.dashed else Qt.PenStyle.SolidLine
        painter.setPen(QPen(QColor(OTHER if shown.dashed else TRACKED), 2.0, style))
        painter.drawPath(self._path(region))

    def _paint_corners(self, painter: QPainter) -> None:
        if not self._corners:
            return
        area, x, y = self._place()
        at = [QPointF(area.left() + (c.x() + 0.5) * x, area.top() + (c.y() + 0.5) * y) for c in self._corners]
        painter.setPen(QPen(QColor("#ffffff"), 1.5))
        painter.drawPolyline(at)
        for point in at:
            painter.drawEllipse(point, 3, 3)

    def _paint_words(self, painter: QPainter, area: QRectF) -> None:
        t, cine = theme(), self._cine
        assert cine is not None
        painter.setPen(QColor(t.canvas_text))
        if cine.oriented:
            right, down = orientation_letters(cine.grid.axes[0]), orientation_letters(cine.grid.axes[1])
            left, up = orientation_letters(-cine.grid.axes[0]), orientation_letters(-cine.grid.axes[1])
            middle = area.center()
            for text, place in (
                (left, QRectF(area.left() - MARGIN_PX, middle.y() - 9, MARGIN_PX, 18)),
                (right, QRectF(area.right(), middle.y() - 9, MARGIN_PX, 18)),
                (up, QRectF(middle.x() - 20, area.top() - MARGIN_PX, 40, MARGIN_PX)),
                (down, QRectF(middle.x() - 20, area.bottom(), 40, MARGIN_PX)),
            ):
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
        inner = QRectF(self.rect()).adjusted(6, 4, -6, -4)
        _say(painter, inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, cine.description)
        moment = f"frame {self._frame}   {cine.times_s[self._frame]:.2f} s"
        _say(painter, inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, moment)
        if self.drawing:
            hint = "click the corners of the target; double click or Enter ends, Esc drops"
            _say(
                painter, area.adjusted(0, 8, 0, -8), Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom, hint
            )
        else:
            self._paint_legend(painter, inner)
        if self._shown:
            text, colour = beam_words(self._shown[0].trace, self._frame)
            font = QFont(painter.font())
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(QPen(QColor(colour), 2))
            _say(painter, inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, text)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(area)

    def _paint_legend(self, painter: QPainter, inner: QRectF) -> None:
        """Which line is what, from the right."""
        right = inner.right()
        for text, colour in reversed(list(_legend(self._shown))):
            painter.setPen(QColor(colour))
            place = QRectF(inner.left(), inner.top(), right - inner.left(), inner.height())
            right = _say(painter, place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, text).left() - 2

    # -- hands ----------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._corners is not None and self._cine is not None and event.button() == Qt.MouseButton.LeftButton:
            self._corners.append(self.pixel_at(event.position()))
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._close()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._corners is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._close()
        elif self._corners is not None and event.key() == Qt.Key.Key_Escape:
            self._corners = []
            self._close()
        elif self._corners and event.key() == Qt.Key.Key_Backspace:
            self._corners.pop()
            self.update()
        else:
            super().keyPressEvent(event)

    def _close(self) -> None:
        if self._corners is not None:
            corners = [(c.x(), c.y()) for c in self._corners]
            self.draw(False)
            self.drawn.emit(corners)


def _legend(shown: tuple[Shown, ...]) -> Iterator[tuple[str, str]]:
    for each in shown:
        if each.dashed:
            yield f"┄ {each.trace.track.backend}", OTHER
            continue
        yield f"━ {each.trace.track.backend}", TRACKED
        yield "╍ boundary", theme().canvas_accent
        if each.trace.track.target.labelled:
            yield "─ labelled", LABELLED


def _say(painter: QPainter, area: QRectF, where: Qt.AlignmentFlag, text: str) -> QRectF:
    """Words on a dark ground, that stay readable over bright tissue; where they stand."""
    ground = painter.boundingRect(area, where, text).adjusted(-4, -2, 4, 2)
    painter.fillRect(ground, QColor(0, 0, 0, 150))
    painter.drawText(area, where, text)
    return ground


def beam_words(trace: Trace, frame: int) -> tuple[str, str]:
    """What the beam does at a frame, with a symbol, and the colour for it on black."""
    share = trace.outside_percent[frame]
    seen = f"{share:.1f} % outside" if np.isfinite(share) else "not tracked"
    return (f"● BEAM ON   {seen}", "#3cc9a0") if trace.beam_on[frame] else (f"■ HELD   {seen}", OUTSIDE)


class Player(QWidget):
    """The picture, and below it play, scrub and speed. moved: the frame that is shown now."""

    moved = Signal(int)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("gating.player")
        self.picture = CinePicture()
        self.scrub = QSlider(Qt.Orientation.Horizontal)
        self.scrub.setObjectName("gating.scrub")
        self.scrub.setToolTip("Frame")
        self.scrub.valueChanged.connect(self._scrubbed)
        self.speed = QComboBox()
        self.speed.setObjectName("gating.speed")
        self.speed.setToolTip("Speed of the player")
        for speed in SPEEDS:
            self.speed.addItem(f"{speed:g}×", speed)
        self.speed.setCurrentIndex(SPEEDS.index(1.0))
        self.speed.currentIndexChanged.connect(lambda _: self._restart())
        self.time = QLabel()
        self.time.setObjectName("gating.time")
        self.time.setMinimumWidth(96)
        row = QHBoxLayout()
        row.setSpacing(RHYTHM // 2)
        self.play_button = tool_button(actions, "gating.play")
        self.play_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.play_button.setFixedSize(52, 22)
        row.addWidget(self.play_button)
        row.addWidget(self.scrub, 1)
        row.addWidget(self.time)
        row.addWidget(muted("speed"))
        row.addWidget(self.speed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(RHYTHM // 2)
        column.addWidget(self.picture, 1)
        column.addLayout(row)
        self._cine: Cine | None = None
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._clock = QElapsedTimer()
        self._from_s = 0.0

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    @property
    def frame(self) -> int:
        return self.scrub.value()

    def show_cine(self, cine: Cine | None) -> None:
        self.pause()
        self._cine = cine
        self.picture.show_cine(cine)
        self.scrub.setRange(0, len(cine.frames) - 1 if cine is not None else 0)
        self.go(0)
        self._say()

    def go(self, frame: int) -> None:
        self.scrub.setValue(frame)
        self._restart()

    def step(self, by: int) -> None:
        self.pause()
        self.go(self.frame + by)

    def faster(self, by: int) -> None:
        self.speed.setCurrentIndex(min(max(self.speed.currentIndex() + by, 0), len(SPEEDS) - 1))

    def toggle(self) -> None:
        if self.playing:
            self.pause()
        elif self._cine is not None:
            if self.frame == self.scrub.maximum():
                self.scrub.setValue(0)
            self._restart()
            self._timer.start()
            self.play_button.setText("Pause")

    def pause(self) -> None:
        self._timer.stop()
        self.play_button.setText("Play")

    def _restart(self) -> None:
        if self._cine is not None:
            self._from_s = float(self._cine.times_s[self.frame])
            self._clock.restart()

    def _tick(self) -> None:
        """The frame that the clock says: late ticks skip frames, they do not slow the cine down."""
        if self._cine is None:
            return
        at = self._from_s + self._clock.elapsed() / 1000 * float(self.speed.currentData())
        times = self._cine.times_s
        if at > times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0):
            self.scrub.setValue(0)
            self._restart()
            return
        self.scrub.setValue(int(np.searchsorted(times, at, side="right")) - 1)

    def _scrubbed(self, frame: int) -> None:
        if self.scrub.isSliderDown():
            self._restart()
        self.picture.show_frame(frame)
        self._say()
        self.moved.emit(frame)

    def _say(self) -> None:
        cine = self._cine
        self.time.setText(f"{cine.times_s[self.frame]:.2f} / {cine.times_s[-1]:.2f} s" if cine is not None else "")
