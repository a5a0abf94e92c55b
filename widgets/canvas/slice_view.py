"""`SliceView`: one plane of the patient, painted, and what hands do on it. It writes back through `session.look` only."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from reviewer.case import Window
from reviewer.changes import CaseOpened
from reviewer.edit.tools.tool import Pane
from reviewer.scene import Camera, Layer, Orientation, Point
from reviewer.session import Session

from ..binding import Changes, Follower
from ..commands.drawing import Drawing
from . import late
from .drawing import DrawingHand, drawing_marks, pane_of, pen_of
from .interaction import (
    EDGE_PIXELS,
    Distance,
    Interaction,
    Measuring,
    Pan,
    Pointing,
    Rule,
    Ruler,
    Swipe,
    Tool,
    Touch,
    WindowLevel,
    Zoom,
    zoomed,
)
from .painted_slice import PaintedSlice
from .painting import Touched
from .pointed import Pointed, picked_at, pointed_at
from .repaint import Mark
from .touch import touch_of
from .viewport import Pair, Viewport
from .window_editor import WindowEditor

WHEEL_STEP = 120

REST_MS = 200
"""After so long without a move of the hand, what is sketched of its stroke is cut from the solid."""

READING_MS = 100
"""While a hand draws, the values under it are told so often, and so long after an edit: nobody reads faster."""


class SliceView(PaintedSlice):
    """A painted slice of the case in one orientation, with hands on it."""

    maximise_requested = Signal()
    pointed = Signal(object)
    """Emits `Pointed`, or None when the cursor leaves the image."""

    tool_changed = Signal(str)

    def __init__(
        self, session: Session, orientation: Orientation, drawing: Drawing | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(session, orientation, parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.WheelFocus)
        self._cursor: Pair | None = None
        self._pointed: Pointed | None = None
        self._space = False
        self._wheel = 0
        self._tool: Tool = "point"
        self._ruler = Ruler()
        self._editor: WindowEditor | None = None
        self._drawing = drawing
        self._double = self._guided = False
        if drawing is not None:
            drawing.moved.connect(self._drawing_moved)
        self._interaction = Interaction(
            [
                Rule(lambda t: t.button == "middle" or (t.button == "left" and "space" in t.keys), lambda: Pan(self)),
                Rule(lambda t: t.button == "right", lambda: Zoom(self)),
                Rule(lambda t: t.button == "left" and "alt" in t.keys, lambda: WindowLevel(self)),
                Rule(lambda t: t.button == "left" and self._on_edge(t.pixel), lambda: Swipe(self)),
                Rule(lambda t: t.button == "left" and self._tool == "window", lambda: WindowLevel(self)),
                Rule(lambda t: t.button == "left" and self._drawn_in, self._drawing_hand),
                Rule(lambda t: t.button == "left" and self._tool == "distance", lambda: Measuring(self._ruler)),
                Rule(lambda t: t.button == "left", lambda: Pointing(self, self._session.view.point_mm)),
            ]
        )
        self._follower = Follower(self, session, self._refresh, strokes=True)
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._see_stroke_in_full)
        self._reading = QTimer(self)
        self._reading.setSingleShot(True)
        self._reading.setInterval(READING_MS)
        self._reading.timeout.connect(self._read)

    # -- what is shown --------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.view("stroke"):
            self._rest.start() if self._session.view.stroke is not None else self._rest.stop()
        if self._session.view.mode == "contour" and self._drawing is not None:
            late.load_tools()
        for message in changes.messages:
            if isinstance(message, CaseOpened):
                self._pointed = None
                self._ruler.clear()
                self._interaction.cancel()
        drawn = self._drawing is not None and self._drawing.held
        if self._cursor is not None and self._interaction.held is None and not drawn:
            if changes.edited:
                self._reading.start()  # the numbers of the edit first
            else:
                self._look_under(self._cursor)
        port = self.viewport_now
        if changes.edited and port is not None and self._painting.waits(port):
            self._late.start()  # one paint with all that the edit moves, instead of two
            return
        self.see()

    def _see_stroke_in_full(self) -> None:
        stroke = self._session.view.stroke
        if stroke is not None and self._painting.outlines.sketches and not late.solid_known(stroke):
            self._late.start()

    # -- the desk that hands work on ------------------------------------------------------------------------------------

    @property
    def camera(self) -> tuple[float, Pair]:
        port = self.viewport_now
        return (1.0, (0.0, 0.0)) if port is None else (port.mm_per_pixel, port.middle_mm)

    @camera.setter
    def camera(self, value: tuple[float, Pair]) -> None:
        slices = self._framing.slices(self._session.scene)
        if slices is None:
            return
        scale, middle = value
        centre = slices.centre_mm
        camera = Camera(scale, (middle[0] - centre[0], middle[1] - centre[1]))
        self._look_from(camera)

    def _look_from(self, camera: Camera | None) -> None:
        cameras = dict(self._session.view.cameras)
        if camera is None:
            cameras.pop(self._orientation, None)
        else:
            cameras[self._orientation] = camera
        self._session.look(cameras=MappingProxyType(cameras))

    def reset_camera(self) -> None:
        """Fit the body, or the image, again."""
        self._look_from(None)

    def zoom(self, factor: float, pixel: Pair | None = None) -> None:
        """Enlarge about a pixel, or about the middle of the view."""
        port = self.viewport_now
        if port is not None:
            fixed = port.plane_mm(pixel or (port.size[0] / 2, port.size[1] / 2))
            self.camera = zoomed(self.camera, factor, fixed)

    def level_and_width(self, overlay: bool) -> Pair | None:
        layer = self._layer(overlay)
        return None if layer is None else (layer.window.level, layer.window.width)

    def set_window(self, overlay: bool, level: float, width: float) -> None:
        layer = self._layer(overlay)
        if layer is not None:
            windows = {**self._session.view.windows, layer.image.id: Window(level, width)}
            self._session.look(windows=MappingProxyType(windows))

    def _layer(self, overlay: bool) -> Layer | None:
        return self._session.scene.overlay if overlay else self._session.scene.base

    def point_to(self, point_mm: Point) -> None:
        self._session.look(point_mm=point_mm)

    def swipe_to(self, pixel_x: float) -> None:
        self._session.look(swipe=min(max(pixel_x / max(self.width(), 1), 0.0), 1.0))

    def scroll(self, slices: int) -> None:
        """Go so many slices towards the head, the left or the back; stops at the ends, and stays while a button is down that draws."""
        scene = self._session.scene
        stack = self._framing.slices(scene)
        held = self._drawing is not None and self._drawing.held
        if stack is None or slices == 0 or held:
            return
        here = stack.nearest(scene.point_mm)
        there = min(max(here + slices, 0), len(stack.positions_mm) - 1)
        if there == here:
            return
        normal = np.array(stack.plane.normal)
        point = np.array(scene.point_mm)
        point = point + (float(stack.positions_mm[there]) - point @ normal) * normal
        self._session.look(point_mm=(float(point[0]), float(point[1]), float(point[2])))

    @property
    def tool(self) -> Tool:
        """What the left button does: set the crosshair, window/level, draw distances, or draw contours."""
        return self._tool

    def set_tool(self, tool: Tool) -> None:
        if tool != self._tool:
            self._interaction.cancel()
            self._tool = tool
            self._set_cursor()
            self.tool_changed.emit(tool)

    @property
    def distances(self) -> tuple[Distance, ...]:
        return self._ruler.shown

    def _on_edge(self, pixel: Pair) -> bool:
        scene = self._session.scene
        return (
            scene.overlay is not None
            and scene.style == "swipe"
            and abs(pixel[0] - scene.swipe * self.width()) <= EDGE_PIXELS
        )

    # -- drawing contours -----------------------------------------------------------------------------------------------

    @property
    def pane(self) -> Pane | None:
        """The plane that is drawn in; None without an image."""
        scene, port = self._session.scene, self.viewport_now
        slices = self._framing.slices(scene)
        return None if port is None or slices is None else pane_of(scene, slices, port)

    @property
    def _drawn_in(self) -> bool:
        return self._tool == "draw" and self._drawing is not None and self._drawing.kind is not None

    def _drawing_hand(self) -> DrawingHand:
        assert self._drawing is not None
        return DrawingHand(self._drawing, self, self.camera[0])

    def _drawing_moved(self) -> None:
        """Guides are shown in the view that is drawn in; the draft comes to every view through the scene."""
        if self._drawing is not None and self._drawn_in and (self._drawing.in_hand_of(self) or self._guided):
            self._guided = self._drawing.in_hand_of(self)
            self._follower.flush()  # the draft and its guides in one paint
            self.see()

    def _hover(self, touch: Touch) -> None:
        """What the tool would do here."""
        if self._drawing is not None and self._drawn_in and not self._interaction.held:
            self._drawing.hover(self, pen_of(touch, self.camera[0]))

    # -- events ---------------------------------------------------------------------------------------------------------

    def _touch(self, event: QMouseEvent) -> Touch | None:
        port = self.viewport_now
        return None if port is None else touch_of(event, port, self._space)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._close_editor()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        touch = self._touch(event)
        if touch is not None and not self._on_window_text(touch.pixel):
            self._interaction.press(touch)
            self._set_cursor()
            self.see()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        touch = self._touch(event)
        if touch is None:
            return
        if self._interaction.move(touch):
            self.see()
        elif self._drawn_in:
            self._hover(touch)
        elif "shift" in touch.keys and not event.buttons():
            self.point_to(touch.point_mm)
        self._cursor = touch.pixel
        if not isinstance(self._interaction.held, DrawingHand):
            self._look_under(touch.pixel)
        elif not self._reading.isActive():
            self._reading.start()
        self._set_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        touch = self._touch(event)
        if touch is not None and self._interaction.release(touch):
            self.see()
            if self._double and self._drawing is not None:
                self._drawing.accept()
        self._double = False
        self._set_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self.reset_camera()
        elif event.button() == Qt.MouseButton.LeftButton:
            if self._on_window_text((event.position().x(), event.position().y())):
                self._open_editor()
            elif self._drawn_in:  # the second press of two quick ones
                self.mousePressEvent(event)
                self._double = True
            elif self._tool != "distance":
                self._interaction.cancel()
                self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.2 ** (delta / WHEEL_STEP), (event.position().x(), event.position().y()))
        else:
            self._wheel = delta if self._wheel * delta < 0 else self._wheel + delta
            steps = int(self._wheel / WHEEL_STEP)
            self._wheel -= steps * WHEEL_STEP
            if self._drawing is not None and self._drawn_in and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._drawing.resize(steps)
            else:
                self.scroll(steps)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            super().keyPressEvent(event)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_Up):
            self.scroll(1)
        elif key in (Qt.Key.Key_PageDown, Qt.Key.Key_Down):
            self.scroll(-1)
        elif key == Qt.Key.Key_Home:
            self.scroll(1_000_000)
        elif key == Qt.Key.Key_End:
            self.scroll(-1_000_000)
        elif key == Qt.Key.Key_R:
            self.reset_camera()
        elif key == Qt.Key.Key_Space:
            if not event.isAutoRepeat():
                self._space = True
                self._set_cursor()
        elif key == Qt.Key.Key_Escape and self._escape():
            self.see()
        elif self._drawing is not None and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._drawing.accept()
        elif self._drawn_in and self._drawing is not None and key == Qt.Key.Key_Backspace:
            self._drawing.step_back()
        else:
            super().keyPressEvent(event)

    def _escape(self) -> bool:
        """Undo the nearest thing: a gesture, then the distances, then the tool."""
        if self._interaction.cancel() or (self._drawing is not None and self._drawing.escape()) or self._ruler.clear():
            return True
        if self._tool != "point":
            self.set_tool("point")
            return True
        return False

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._set_cursor()
        else:
            super().keyReleaseEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.see()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False
        self.see()

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self._cursor, self._pointed = None, None
        if self._drawing is not None:
            self._drawing.leave(self)
        self.pointed.emit(None)
        self.see()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._close_editor()

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._cursor is not None and self._on_edge(self._cursor):
            shape = Qt.CursorShape.SplitHCursor
        elif self._tool in ("distance", "draw"):
            shape = Qt.CursorShape.CrossCursor
        elif self._cursor is not None and self._on_window_text(self._cursor):
            shape = Qt.CursorShape.IBeamCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    # -- window/level by typing -----------------------------------------------------------------------------------------

    def _on_window_text(self, pixel: Pair) -> bool:
        box = self._painting.words.box_of("window")
        return box is not None and QRectF(*box).contains(QPointF(*pixel))

    def _open_editor(self) -> None:
        box = self._painting.words.box_of("window")
        now = self.level_and_width(overlay=False)
        if box is None or now is None:
            return
        editor = WindowEditor(self, now, box)
        editor.entered.connect(self._accept_editor)
        editor.left.connect(self._close_editor)
        editor.show()
        editor.setFocus()
        self._editor = editor

    def _accept_editor(self, level: float, width: float) -> None:
        self.set_window(overlay=False, level=level, width=width)
        self._close_editor()
        self.setFocus()

    def _close_editor(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            editor.close_for_good()

    # -- what is under the cursor ---------------------------------------------------------------------------------------

    def _read(self) -> None:
        if self._cursor is not None:
            self._look_under(self._cursor)

    def _look_under(self, pixel: Pair) -> None:
        self._cursor = pixel
        port, scene = self.viewport_now, self._session.scene
        named = self._painting.outlines if self._interaction.held is None else None
        seen = None if port is None else pointed_at(port.plane_mm(pixel), scene, port, named, late.ready())
        if seen is None:
            return
        if seen != self._pointed:
            self._pointed = seen
            self.pointed.emit(seen)
            self.see()
        elif scene.overlay is not None and scene.style == "spyglass":
            self.see()

    @property
    def structure_under_cursor(self) -> str | None:
        """Id of the structure that a click here would mean."""
        port = self.viewport_now
        if port is None or self._cursor is None:
            return None
        return picked_at(port.plane_mm(self._cursor), self._session.scene, port, self._painting.outlines, late.ready())

    # -- what hands add to the picture ----------------------------------------------------------------------------------

    @property
    def _touched(self) -> Touched:
        held = self._interaction.held is not None or self._drawn_in
        return Touched(self._cursor, self._pointed, self._ruler.shown, held, self.hasFocus())

    def _hand_marks(self, port: Viewport) -> tuple[Mark, ...]:
        if self._drawing is None or not self._drawn_in:
            return ()
        return tuple(drawing_marks(port, self._drawing, self, self._cursor, self._painting.words))
