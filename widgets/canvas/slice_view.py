"""`SliceView`: one plane of the patient, painted. It shows `session.scene` and writes back through `session.look` only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import shapely
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFont,
    QFontMetricsF,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QRegion,
    QResizeEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from reviewer.case import Structure, Window
from reviewer.changes import CaseOpened, Change, StructuresChanged, VoxelsArrived
from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import value_at
from reviewer.scene import Camera, Layer, Orientation, Point, Scene
from reviewer.session import Session

from ..binding import Changes, Follower
from ..theme import FAMILIES, RHYTHM, theme
from . import late
from .differences import SWATCH, Differences, legend_lines, paint_swatch, place_for_legend
from .facts import EDGE, Box, Placed, Room, facts_of, level_text, number, placed, scale_bar
from .interaction import (
    EDGE_PIXELS,
    Button,
    Distance,
    Interaction,
    Key,
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
from .layers import SPYGLASS_PIXELS, Layers, Lines, Picture
from .paths import Outlines, path_of
from .viewport import Pair, Slices, Viewport, fitting

BUTTONS: dict[Qt.MouseButton, Button] = {
    Qt.MouseButton.LeftButton: "left",
    Qt.MouseButton.MiddleButton: "middle",
    Qt.MouseButton.RightButton: "right",
}
FILL_ALPHA = 56
TEXT_GROUND = QColor(0, 0, 0, 96)
"""Behind words, so that they can be read on white as on black."""

HOVER_PIXELS = 5.0
WHEEL_STEP = 120
CROSSHAIR_GAP = 14.0

SCALE_RISE = 3.0
"""How far the label of the scale bar stands above the bar, pixels."""


@dataclass(frozen=True)
class Pointed:
    """What is under the cursor. base, overlay: values in the image's unit (HU) or signal; dose_gy; None: outside, or not read yet."""

    orientation: Orientation
    point_mm: Point
    base: float | None
    base_unit: str
    overlay: float | None
    overlay_unit: str
    dose_gy: float | None
    structures: tuple[str, ...]

    @property
    def text(self) -> str:
        """The values in one line: "41 HU  over 380  23.4 Gy"."""
        parts = []
        if self.base is not None:
            parts.append(f"{number(round(self.base, 2))} {self.base_unit or 'signal'}")
        if self.overlay is not None:
            parts.append(f"over {number(round(self.overlay, 2))} {self.overlay_unit}".rstrip())
        if self.dose_gy is not None:
            parts.append(f"{self.dose_gy:.1f} Gy")
        return "  ".join(parts)


class SliceView(QWidget):
    """A painted slice of the case in one orientation."""

    maximise_requested = Signal()
    pointed = Signal(object)
    """Emits `Pointed`, or None when the cursor leaves the image."""

    tool_changed = Signal(str)

    def __init__(self, session: Session, orientation: Orientation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{orientation}_view")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.WheelFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(f"{orientation} slice")
        self._session = session
        self._orientation: Orientation = orientation
        self._layers = Layers()
        self._outlines = Outlines()
        self._differences = Differences()
        self._lines: tuple[tuple[Lines, ...], list[Any]] = ((), [])
        self._slices: Slices | None = None
        self._grid: Grid | None = None
        self._body: tuple[Structure, Slices, tuple[float, float, float, float] | None] | None = None
        self._cursor: Pair | None = None
        self._pointed: Pointed | None = None
        self._space = False
        self._wheel = 0
        self._tool: Tool = "point"
        self._ruler = Ruler()
        self._placed: list[Placed] = []
        self._editor: QLineEdit | None = None
        self._font = QFont()
        self._font.setFamilies(list(FAMILIES))
        self._font.setPixelSize(12)
        self._metrics = QFontMetricsF(self._font)
        self._interaction = Interaction(
            [
                Rule(lambda t: t.button == "middle" or (t.button == "left" and "space" in t.keys), lambda: Pan(self)),
                Rule(lambda t: t.button == "right", lambda: Zoom(self)),
                Rule(lambda t: t.button == "left" and "alt" in t.keys, lambda: WindowLevel(self)),
                Rule(lambda t: t.button == "left" and self._on_edge(t.pixel), lambda: Swipe(self)),
                Rule(lambda t: t.button == "left" and self._tool == "window", lambda: WindowLevel(self)),
                Rule(lambda t: t.button == "left" and self._tool == "distance", lambda: Measuring(self._ruler)),
                Rule(lambda t: t.button == "left", lambda: Pointing(self, self._session.view.point_mm)),
            ]
        )
        self._follower = Follower(self, session, self._refresh)
        self._late = QTimer(self)
        self._late.setInterval(30)
        self._late.timeout.connect(self._see_whether_loaded)

    # -- what is shown --------------------------------------------------------------------------------------------------

    @property
    def orientation(self) -> Orientation:
        return self._orientation

    @property
    def viewport_now(self) -> Viewport | None:
        """Where things are at this moment; None without an image."""
        scene = self._session.scene
        slices = self._slices_of(scene)
        if slices is None:
            return None
        camera = scene.cameras.get(self._orientation) or self._fit(slices)
        centre = slices.centre_mm
        middle = centre[0] + camera.centre_mm[0], centre[1] + camera.centre_mm[1]
        position = float(slices.positions_mm[slices.nearest(scene.point_mm)])
        size = float(max(self.width(), 1)), float(max(self.height(), 1))
        return Viewport(slices.plane, position, middle, camera.mm_per_pixel, size, self.devicePixelRatioF())

    def settle(self) -> None:
        """Come back when the next paint will be complete, cuts and oblique overlays included (screenshots, tests)."""
        late.wait()
        self.update()

    @property
    def complete(self) -> bool:
        """Whether the next paint will be complete."""
        return late.ready()

    @property
    def facts(self) -> tuple[Placed, ...]:
        """The words of the last paint, and where they stand."""
        return tuple(self._placed)

    def sizeHint(self) -> QSize:
        return QSize(480, 400)

    def minimumSizeHint(self) -> QSize:
        return QSize(120, 100)

    def _refresh(self, changes: Changes) -> None:
        for message in changes.messages:
            self._hear(message)
        if self._cursor is not None:
            self._look_under(self._cursor)
        self.update()

    def _hear(self, message: Change) -> None:
        if isinstance(message, CaseOpened):
            self._layers, self._slices, self._grid, self._body = Layers(), None, None, None
            self._outlines.clear()
            self._differences.clear()
            self._lines = ((), [])
            self._pointed = None
            self._ruler.clear()
            self._interaction.cancel()
        elif isinstance(message, VoxelsArrived):
            self._layers.arrived(message.image_id)
        elif isinstance(message, StructuresChanged):
            self._outlines.forget(message.structure_ids)

    def _see_whether_loaded(self) -> None:
        if late.ready():
            self._late.stop()
            self.update()

    def _slices_of(self, scene: Scene) -> Slices | None:
        plane = scene.planes.get(self._orientation)
        if scene.base is None or plane is None:
            return None
        if self._slices is None or self._slices.plane != plane or self._grid is not scene.base.image.grid:
            self._grid = scene.base.image.grid
            self._slices = Slices.of(self._grid, plane)
        return self._slices

    def _fit(self, slices: Slices) -> Camera:
        """The body where it is contoured, else the image."""
        return fitting(
            self._body_box(slices) or slices.box_mm, slices.centre_mm, (float(self.width()), float(self.height()))
        )

    def _body_box(self, slices: Slices) -> tuple[float, float, float, float] | None:
        view, case = self._session.view, self._session.case
        group = case.structure_set(view.structure_set)
        body = next((s for s in group.structures if s.type == "EXTERNAL" and not s.empty), None) if group else None
        base = case.image(view.base)
        if body is None or base is None:
            return None
        if body.grid.frame_of_reference_uid != base.grid.frame_of_reference_uid:
            return None
        if self._body is None or self._body[0] is not body or self._body[1] is not slices:
            bounds = shapely.total_bounds(list(body.planes.values()))
            low, high = min(body.planes), max(body.planes)
            w = body.grid.slab_borders_mm[[low, high + 1]]
            corners = body.grid.point_mm(
                [(u, v, z) for u in bounds[[0, 2]] for v in bounds[[1, 3]] for z in (float(w[0]), float(w[1]))]
            )
            x, y = corners @ np.array(slices.plane.right), corners @ np.array(slices.plane.down)
            x0, y0, x1, y1 = slices.box_mm
            box = max(x0, x.min()), max(y0, y.min()), min(x1, x.max()), min(y1, y.max())
            self._body = (body, slices, box if box[0] < box[2] and box[1] < box[3] else None)
        return self._body[2]

    # -- the desk that hands work on ------------------------------------------------------------------------------------

    @property
    def camera(self) -> tuple[float, Pair]:
        port = self.viewport_now
        return (1.0, (0.0, 0.0)) if port is None else (port.mm_per_pixel, port.middle_mm)

    @camera.setter
    def camera(self, value: tuple[float, Pair]) -> None:
        slices = self._slices_of(self._session.scene)
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

    def window(self, overlay: bool) -> Pair | None:
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
        """Go so many slices towards the head, the left or the back; stops at the ends."""
        scene = self._session.scene
        stack = self._slices_of(scene)
        if stack is None or slices == 0:
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
        """What the left button does: set the crosshair, window/level or draw distances."""
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

    def clear_distances(self) -> None:
        if self._ruler.clear():
            self.update()

    def _on_edge(self, pixel: Pair) -> bool:
        scene = self._session.scene
        return (
            scene.overlay is not None
            and scene.style == "swipe"
            and abs(pixel[0] - scene.swipe * self.width()) <= EDGE_PIXELS
        )

    # -- events ---------------------------------------------------------------------------------------------------------

    def _touch(self, event: QMouseEvent) -> Touch | None:
        port = self.viewport_now
        if port is None:
            return None
        pixel = event.position().x(), event.position().y()
        plane = port.plane_mm(pixel)
        return Touch(pixel, plane, port.point_mm(plane), BUTTONS.get(event.button()), self._keys(event))

    def _keys(self, event: QMouseEvent) -> frozenset[Key]:
        held = event.modifiers()
        pairs: tuple[tuple[Key, bool], ...] = (
            ("shift", bool(held & Qt.KeyboardModifier.ShiftModifier)),
            ("ctrl", bool(held & Qt.KeyboardModifier.ControlModifier)),
            ("alt", bool(held & Qt.KeyboardModifier.AltModifier)),
            ("space", self._space),
        )
        return frozenset(name for name, down in pairs if down)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._close_editor()
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        touch = self._touch(event)
        if touch is not None and not self._on_window_text(touch.pixel):
            self._interaction.press(touch)
            self._set_cursor()
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        touch = self._touch(event)
        if touch is None:
            return
        if self._interaction.move(touch):
            self.update()
        elif "shift" in touch.keys and not event.buttons():
            self.point_to(touch.point_mm)
        self._look_under(touch.pixel)
        self._set_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        touch = self._touch(event)
        if touch is not None and self._interaction.release(touch):
            self.update()
        self._set_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.MiddleButton:
            self.reset_camera()
        elif event.button() == Qt.MouseButton.LeftButton:
            if self._on_window_text((event.position().x(), event.position().y())):
                self._open_editor()
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
            self.update()
        else:
            super().keyPressEvent(event)

    def _escape(self) -> bool:
        """Undo the nearest thing: a gesture, then the distances, then the tool."""
        if self._interaction.cancel() or self._ruler.clear():
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
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._space = False
        self.update()

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self._cursor, self._pointed = None, None
        self.pointed.emit(None)
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._close_editor()

    def _set_cursor(self) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._space:
            shape = Qt.CursorShape.OpenHandCursor
        elif self._cursor is not None and self._on_edge(self._cursor):
            shape = Qt.CursorShape.SplitHCursor
        elif self._tool == "distance":
            shape = Qt.CursorShape.CrossCursor
        elif self._cursor is not None and self._on_window_text(self._cursor):
            shape = Qt.CursorShape.IBeamCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    # -- window/level by typing -----------------------------------------------------------------------------------------

    def _on_window_text(self, pixel: Pair) -> bool:
        box = next((p.box for p in self._placed if p.fact.name == "window"), None)
        return box is not None and QRectF(*box).contains(QPointF(*pixel))

    def _open_editor(self) -> None:
        box = next((p.box for p in self._placed if p.fact.name == "window"), None)
        now = self.window(overlay=False)
        if box is None or now is None:
            return
        editor = _Typed(self)
        editor.setObjectName("window_level_editor")
        editor.setText(f"{now[1]:g} {now[0]:g}")
        editor.setToolTip("Width and level; Enter accepts, Esc leaves it as it was")
        editor.setGeometry(int(box[0]) - 4, int(box[1] + box[3]) - 24, max(112, int(box[2]) + 24), 24)
        editor.returnPressed.connect(self._accept_editor)
        editor.left.connect(self._close_editor)
        editor.selectAll()
        editor.show()
        editor.setFocus()
        self._editor = editor

    def _accept_editor(self) -> None:
        if self._editor is None:
            return
        try:
            width, level = (float(t) for t in self._editor.text().replace(",", " ").split())
        except ValueError:
            width = level = 0.0
        if not (np.isfinite(width) and np.isfinite(level) and width > 0):
            self._editor.setStyleSheet(f"color: {theme().bad};")
            self._editor.setToolTip("Two numbers: a width above 0, and a level")
            return
        self.set_window(overlay=False, level=level, width=width)
        self._close_editor()
        self.setFocus()

    def _close_editor(self) -> None:
        editor, self._editor = self._editor, None
        if editor is not None:
            editor.blockSignals(True)
            editor.hide()
            editor.deleteLater()

    # -- what is under the cursor ---------------------------------------------------------------------------------------

    def _look_under(self, pixel: Pair) -> None:
        self._cursor = pixel
        port, scene = self.viewport_now, self._session.scene
        if port is None or scene.base is None:
            return
        plane = port.plane_mm(pixel)
        point = port.point_mm(plane)
        overlay, dose = scene.overlay, scene.dose
        seen = Pointed(
            self._orientation,
            point,
            _value(scene.base, point),
            scene.base.image.unit,
            None if overlay is None else _value(overlay, point),
            "" if overlay is None else overlay.image.unit,
            None if dose is None else _finite(value_at(dose.dose.gray, dose.dose.grid, dose.to_layer, point)),
            self._structures_at(plane, scene, port),
        )
        if seen != self._pointed:
            self._pointed = seen
            self.pointed.emit(seen)
            self.update()
        elif scene.overlay is not None and scene.style == "spyglass":
            self.update()

    def _structures_at(self, plane_mm: Pair, scene: Scene, port: Viewport) -> tuple[str, ...]:
        """Names of the structures whose outline is under the cursor, the nearest first."""
        point = shapely.Point(plane_mm)
        reach = HOVER_PIXELS * port.mm_per_pixel
        complete = late.ready()
        near = []
        for drawn in (*scene.drawn, *scene.preview):
            found = self._outlines.of(drawn, port, complete)
            if found is None:
                continue
            x0, y0, x1, y1 = found[0].bounds
            if x0 - reach <= plane_mm[0] <= x1 + reach and y0 - reach <= plane_mm[1] <= y1 + reach:
                distance = found[0].boundary.distance(point)
                if distance <= reach:
                    near.append((distance, drawn.structure.name))
        return tuple(name for _, name in sorted(near))

    # -- painting -------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        colours = theme()
        black = QColor(colours.canvas)
        painter.setFont(self._font)
        scene, port = self._session.scene, self.viewport_now
        slices = self._slices
        if port is None or slices is None or scene.base is None:
            painter.fillRect(self.rect(), black)
            painter.setPen(QColor(colours.canvas_muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no image")
            return
        complete = late.ready()
        if not complete and not self._late.isActive():
            self._late.start()

        picture = self._layers.picture(scene, slices, port, self._cursor, complete)
        bare = QRegion(self.rect())
        if picture is not None:
            bare -= QRegion(self._paint_picture(painter, picture, port))
        for rect in bare:
            painter.fillRect(rect, black)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        to_screen = QTransform.fromScale(1 / port.mm_per_pixel, 1 / port.mm_per_pixel)
        to_screen *= QTransform.fromTranslate(*port.pixel((0.0, 0.0)))

        lines: tuple[Lines, ...] = ()
        painter.save()
        painter.setTransform(to_screen, True)
        if scene.dose is not None and scene.dose.lines:
            lines = self._layers.isodose_lines(scene.dose, slices, port)
            self._paint_isodoses(painter, lines)
        self._paint_structures(painter, scene, port, complete)
        painter.restore()
        if scene.compared is not None:
            a, b = (self._outlines.of(d, port, complete) for d in (scene.compared.a, scene.compared.b))
            self._differences.paint(painter, a, b, to_screen)

        room = Room(port.size)
        metrics = self._metrics
        zoom = self._fit(slices).mm_per_pixel / port.mm_per_pixel
        self._placed = self._place(scene, slices, port, zoom, room, metrics)
        self._paint_style_marks(painter, scene, port)
        if scene.crosshair:
            self._paint_crosshair(painter, port, scene.point_mm)
        self._paint_distances(painter, port, metrics)
        self._paint_scale(painter, port, metrics)
        self._paint_compared_legend(painter, scene, metrics, room)
        self._paint_legend(painter, scene, port, metrics, room)
        self._paint_isodose_labels(painter, lines, port, metrics, room)
        for item in self._placed:
            self._paint_text(painter, item.box, item.text, self._role_colour(item.fact.role))
            if item.fact.role == "caution":
                painter.setPen(QPen(self._role_colour("caution"), 1))
                painter.drawLine(QPointF(2.5, item.box[1] + 1), QPointF(2.5, item.box[1] + item.box[3] - 1))
        self._paint_hover(painter, metrics)
        if self.hasFocus():
            accent = QColor(colours.accent)
            w, h = self.width(), self.height()
            for x, y, width, height in ((0, 0, w, 1), (0, h - 1, w, 1), (0, 0, 1, h), (w - 1, 0, 1, h)):
                painter.fillRect(x, y, width, height, accent)

    def _paint_picture(self, painter: QPainter, picture: Picture, port: Viewport) -> QRect:
        """Returns the logical pixels that are covered wholly."""
        pixels = picture.pixels
        form = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGB32
        image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], form)
        image.setDevicePixelRatio(port.ratio)
        x, y = picture.lattice.corner
        columns, rows = picture.lattice.size
        if port.ratio != 1:  # the border may be a fraction of a logical pixel
            painter.fillRect(self.rect(), QColor(theme().canvas))
        painter.drawImage(QPointF(x / port.ratio, y / port.ratio), image)
        return QRect(x, y, columns, rows) if port.ratio == 1 else self.rect()

    def _paint_isodoses(self, painter: QPainter, lines: tuple[Lines, ...]) -> None:
        if self._lines[0] is not lines:
            self._lines = lines, [path_of(line.pieces, closed=False) for line in lines]
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for line, path in zip(lines, self._lines[1], strict=True):
            _outline(painter, path, _hair(QColor(*line.colour)))

    def _paint_structures(self, painter: QPainter, scene: Scene, port: Viewport, complete: bool) -> None:
        apart = () if scene.compared is None else (scene.compared.a, scene.compared.b)
        contours = [drawn for drawn in (*scene.drawn, *scene.preview) if drawn not in apart]
        found = [(drawn, self._outlines.of(drawn, port, complete)) for drawn in contours]
        for drawn, outline in found:
            if outline is not None and drawn.filled:
                colour = QColor(*drawn.structure.colour)
                colour.setAlpha(FILL_ALPHA)
                painter.fillPath(outline[1], colour)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for drawn, outline in found:
            if outline is None:
                continue
            pen = _hair(QColor(*drawn.structure.colour))
            if drawn.structure.formula is not None:
                pen.setDashPattern([6.0, 4.0])
            if drawn in scene.preview:
                painter.strokePath(outline[1], _broad(QColor(0, 0, 0, 150), 4.0))
                broad = _broad(pen.color(), 2.2)
                broad.setDashPattern([3.0, 2.0])
                painter.strokePath(outline[1], broad)
            elif drawn.highlighted:
                painter.strokePath(outline[1], _broad(QColor(0, 0, 0, 150), 5.0))
                painter.strokePath(outline[1], _broad(pen.color(), 2.8))
            else:
                _outline(painter, outline[1], pen)

    def _place(
        self, scene: Scene, slices: Slices, port: Viewport, zoom: float, room: Room, metrics: QFontMetricsF
    ) -> list[Placed]:
        room.take(self._scale_box(port, metrics))
        text = self._pointed.text if self._pointed is not None else ""
        return placed(
            facts_of(scene, slices, port, zoom, text, late.ready()), room, metrics.horizontalAdvance, metrics.height()
        )

    def _role_colour(self, role: str) -> QColor:
        colours = theme()
        return QColor(
            {
                "muted": colours.canvas_muted,
                "accent": colours.canvas_accent,
                "caution": colours.caution,
            }.get(role, colours.canvas_text)
        )

    def _paint_text(self, painter: QPainter, box: tuple[float, float, float, float], text: str, colour: QColor) -> None:
        painter.fillRect(QRect(int(box[0]) - 3, int(box[1]), int(box[2]) + 7, int(box[3]) + 1), TEXT_GROUND)
        baseline = QPointF(box[0], box[1] + self._metrics.ascent())
        painter.setPen(QColor(0, 0, 0, 220))
        painter.drawText(baseline + QPointF(1.0, 1.0), text)
        painter.setPen(colour)
        painter.drawText(baseline, text)

    def _paint_crosshair(self, painter: QPainter, port: Viewport, point_mm: Point) -> None:
        px, py = port.pixel(port.projected(point_mm))
        w, h = port.size
        colour = QColor(theme().canvas_accent)
        colour.setAlpha(170)
        g, line = round(CROSSHAIR_GAP), 1
        x, y = int(px), int(py)
        for rect in (
            QRect(0, y, x - g, line),
            QRect(x + g, y, int(w) - x - g, line),
            QRect(x, 0, line, y - g),
            QRect(x, y + g, line, int(h) - y - g),
        ):
            if rect.isValid():
                painter.fillRect(rect, colour)

    def _paint_style_marks(self, painter: QPainter, scene: Scene, port: Viewport) -> None:
        if scene.overlay is None:
            return
        colour = QColor(theme().canvas_text)
        colour.setAlpha(190)
        painter.setPen(QPen(colour, 1.2))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if scene.style == "swipe":
            x = scene.swipe * port.size[0]
            painter.drawLine(QPointF(x, 0), QPointF(x, port.size[1]))
            painter.setBrush(colour)
            painter.drawRoundedRect(QRectF(x - 3, port.size[1] / 2 + 2 * RHYTHM, 6, 4 * RHYTHM), 3, 3)
        elif scene.style == "spyglass" and self._cursor is not None:
            painter.drawEllipse(QPointF(*self._cursor), SPYGLASS_PIXELS, SPYGLASS_PIXELS)

    def _paint_distances(self, painter: QPainter, port: Viewport, metrics: QFontMetricsF) -> None:
        normal = np.array(port.plane.normal)
        colour = QColor(theme().canvas_accent)
        for distance in self._ruler.shown:
            if abs(float(np.array(distance.start_mm) @ normal) - port.position_mm) > 0.5:
                continue
            a, b = (QPointF(*port.pixel(port.projected(p))) for p in (distance.start_mm, distance.end_mm))
            painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
            painter.drawLine(a, b)
            painter.setPen(QPen(colour, 1.4))
            painter.drawLine(a, b)
            along = np.array([b.x() - a.x(), b.y() - a.y()])
            across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6) * 4
            for end in (a, b):
                painter.drawLine(end + QPointF(*across), end - QPointF(*across))
            text = f"{distance.length_mm:.1f} mm"
            width = metrics.horizontalAdvance(text)
            x = min(max(b.x() + 8, EDGE), port.size[0] - width - EDGE)
            y = min(max(b.y() - metrics.height() - 2, EDGE), port.size[1] - metrics.height() - EDGE)
            self._paint_text(painter, (x, y, width, metrics.height()), text, colour)

    def _scale_box(self, port: Viewport, metrics: QFontMetricsF) -> Box:
        """The place of the scale bar and, above it, its label."""
        length, label = _scale_of(port)
        width = max(length, metrics.horizontalAdvance(label)) + 1
        height = metrics.height() + SCALE_RISE
        return port.size[0] - EDGE - width, port.size[1] - EDGE - height, width, height

    def _paint_scale(self, painter: QPainter, port: Viewport, metrics: QFontMetricsF) -> None:
        length, label = _scale_of(port)
        right, bottom = port.size[0] - EDGE, port.size[1] - EDGE
        width = metrics.horizontalAdvance(label)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        for colour, extra in ((QColor(0, 0, 0, 200), 2), (QColor(theme().canvas_text), 0)):
            painter.setPen(QPen(colour, 1 + extra))
            y = bottom - 1
            painter.drawLine(QPointF(right - length, y), QPointF(right, y))
            painter.drawLine(QPointF(right - length, y - 4), QPointF(right - length, y))
            painter.drawLine(QPointF(right, y - 4), QPointF(right, y))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = right - length / 2 - width / 2
        x = min(x, right - width)
        self._paint_text(
            painter,
            (x, bottom - metrics.height() - SCALE_RISE, width, metrics.height()),
            label,
            QColor(theme().canvas_text),
        )

    def _paint_legend(
        self, painter: QPainter, scene: Scene, port: Viewport, metrics: QFontMetricsF, room: Room
    ) -> None:
        """The isodose levels at the upper right, where there is room for all of them."""
        dose = scene.dose
        if dose is None or not (dose.lines or dose.wash) or not dose.isodoses:
            return
        levels = sorted(dose.isodoses, key=lambda level: -level.gy)
        reference = self._session.view.reference_gy
        texts = [level_text(level, reference) for level in levels]
        width = max(metrics.horizontalAdvance(t) for t in texts) + 20
        line = metrics.height()
        height = line * len(levels)
        if height > port.size[1] * 0.42 or width > port.size[0] * 0.3:
            return
        places = [(port.size[0] - EDGE - width, EDGE + row * line, width, height) for row in range(4)]
        box = next((place for place in places if room.take(place)), None)
        if box is None:
            return
        for row, (level, text) in enumerate(zip(levels, texts, strict=True)):
            y = box[1] + row * line
            painter.setPen(QPen(QColor(*level.colour), 2.4))
            painter.drawLine(QPointF(box[0], y + line / 2), QPointF(box[0] + 13, y + line / 2))
            self._paint_text(painter, (box[0] + 20, y, width - 20, line), text, QColor(theme().canvas_text))

    def _paint_compared_legend(self, painter: QPainter, scene: Scene, metrics: QFontMetricsF, room: Room) -> None:
        """What is A and what is B, where there is room to say it."""
        if scene.compared is None:
            return
        rows, line = legend_lines(scene.compared), metrics.height()
        width = max(metrics.horizontalAdvance(row[0]) for row in rows)
        box = place_for_legend(width, line, len(rows), room)
        if box is None:
            return
        for place, row in enumerate(rows):
            y = box[1] + place * line
            paint_swatch(painter, box[0], y, line, row)
            self._paint_text(painter, (box[0] + SWATCH, y, width, line), row[0], QColor(theme().canvas_text))

    def _paint_isodose_labels(
        self, painter: QPainter, lines: tuple[Lines, ...], port: Viewport, metrics: QFontMetricsF, room: Room
    ) -> None:
        """Each level's name on its longest line, at the first place that is free; neighbours start at different sides."""
        line_height = metrics.height()
        for turn, line in enumerate(lines):
            if not line.pieces:
                continue
            places, extent = line.label_places
            text = f"{line.gy:g} Gy"
            width = metrics.horizontalAdvance(text) + 6
            if extent / port.mm_per_pixel < 2 * width:
                continue  # the label would hide what the line is about
            for n in range(len(places)):
                x, y = port.pixel(places[(n + 5 * turn) % len(places)])
                box = (x - width / 2, y - line_height / 2, width, line_height)
                if room.take(box):
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(QColor(0, 0, 0, 130))
                    painter.drawRoundedRect(QRectF(*box), 3, 3)
                    painter.setPen(QColor(*line.colour))
                    painter.drawText(QPointF(box[0] + 3, box[1] + metrics.ascent()), text)
                    break
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_hover(self, painter: QPainter, metrics: QFontMetricsF) -> None:
        """The names of the outlines under the cursor."""
        if self._pointed is None or self._cursor is None or not self._pointed.structures or self._interaction.held:
            return
        text = ", ".join(self._pointed.structures[:3])
        width, height = metrics.horizontalAdvance(text) + 12, metrics.height() + 6
        x = min(self._cursor[0] + 14, self.width() - width - 4)
        y = self._cursor[1] + 16
        if y + height > self.height() - 4:
            y = self._cursor[1] - height - 8
        colours = theme()
        painter.setPen(QPen(QColor(colours.line), 1))
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(QRectF(x, y, width, height), 4, 4)
        painter.setPen(QColor(colours.text))
        painter.drawText(QPointF(x + 6, y + 3 + metrics.ascent()), text)
        painter.setBrush(Qt.BrushStyle.NoBrush)


class _Typed(QLineEdit):
    """A field that says when it is left by Esc or for another widget."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.left.emit()


def _scale_of(port: Viewport) -> tuple[float, str]:
    return scale_bar(port.mm_per_pixel, min(120.0, port.size[0] * 0.3))


def _hair(colour: QColor) -> QPen:
    """One pixel wide, whatever the zoom: Qt has a fast way for these."""
    pen = QPen(colour, 1.0)
    pen.setCosmetic(True)
    return pen


def _broad(colour: QColor, width: float) -> QPen:
    pen = QPen(colour, width)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)
    return pen


def _outline(painter: QPainter, path: QPainterPath, pen: QPen) -> None:
    """About one and a half pixels wide. Two hair lines half a pixel apart take a quarter of the time of one broad line."""
    painter.setPen(pen)
    there = painter.transform()
    for shift in (-0.2, 0.2):
        painter.setTransform(there * QTransform.fromTranslate(shift, shift))
        painter.drawPath(path)
    painter.setTransform(there)


def _value(layer: Layer, point_mm: Sequence[float]) -> float | None:
    image = layer.image
    present = None if image.pending is None or image.complete else ~image.pending
    stored = value_at(image.voxels, image.grid, layer.to_layer, point_mm, nearest=True, present=present)
    return None if stored is None else _finite(stored * image.slope + image.intercept)


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
