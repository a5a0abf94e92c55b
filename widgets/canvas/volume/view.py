"""`VolumeView`: structures and isodoses as surfaces, in a plain widget that shows what an off-screen window renders."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, QEventLoop, QPointF, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget

from reviewer.case import Dose, Structure
from reviewer.scene import Drawn, Matrix, Scene
from reviewer.session import Session

from ...binding import Changes, follow
from ...jobs import Jobs, Progress
from ...loading import load
from ...theme import RHYTHM, theme
from ...wording import dose_title, structure_set_title
from .cube import cube_faces, paint_cube
from .mesh import Mesh, distance_to_hit, mapped
from .orbit import SIDE_NAMES, STANDARD_VIEWS, Orbit
from .shot import Crosshair, Look, Piece, Shot
from .studio import Studio

REST_MS = 180
HOVER_MS = 60
PATIENCE_MS = 200
CLICK_PX = 4
DEGREES_PER_PIXEL = 0.5
PIXELS_IN_MOTION = 420_000
"""A larger view is drawn with fewer pixels while it moves."""

CUBE_PX = 34
_OPACITY = {"GTV": 1.0, "CTV": 0.7, "PTV": 0.5}
_WRAPPER_OPACITY = 0.13
_ORGAN_OPACITY = 0.62


class VolumeView(QWidget):
    """3D view of the session's scene, in the frame of the base image.

    Left drag turns around the patient's long axis, right drag and wheel zoom, middle drag pans; a click picks a structure, Shift with
    A, P, L, R, H or F (or a side of the cube) looks from there. Nothing is built before it is first shown.
    """

    maximise_requested = Signal()

    def __init__(self, session: Session, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("volumeView")
        self.setAccessibleName("3D view")
        self.setMinimumSize(120, 100)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._session, self._jobs = session, jobs
        self._awake = False
        self._meshes: dict[str, tuple[Structure, Mesh]] = {}
        self._failures: dict[str, tuple[Structure, str]] = {}
        self._isodoses: tuple[Dose | None, tuple[float, ...], Mapping[float, Mesh]] = (None, (), {})
        self._building: str | None = None
        self._building_isodoses = False
        self._orbit = Orbit()
        self._fitted: object = None
        self._crosshair_half = 100.0
        self._breakdown = ""
        self._image: QImage | None = None
        self._shown: Shot | None = None
        self._wanted_rest = False
        self._press: QPointF | None = None
        self._last = QPointF()
        self._dragging = False
        self._highlight_before: str | None = None
        self._hovered_side: str | None = None
        self._hovered_name = ""

        studio = Studio()
        studio.drawn.connect(self._arrived)
        studio.failed.connect(self._broke)
        # The thread and its graphics end with the widget, however that ends; the connection keeps the studio until then.
        self.destroyed.connect(lambda: studio.close())
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(studio.close)
        self._studio = studio
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(lambda: self._ask(resting=True))
        self._hover = QTimer(self)
        self._hover.setSingleShot(True)
        self._hover.setInterval(HOVER_MS)
        self._hover.timeout.connect(self._name_under_pointer)
        self._sides = self._side_buttons()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._build_and_ask)
        self._follower = follow(self, session, self._refresh, strokes=True)

    def sizeHint(self) -> QSize:
        return QSize(320, 240)

    # -- state ----------------------------------------------------------------------------------------------------------

    @property
    def orbit(self) -> Orbit:
        return self._orbit

    @property
    def complete(self) -> bool:
        """Whether everything that can be shown is built and stands in the picture, sorted."""
        built = not self._missing() and not self._isodoses_missing() and not self._building_isodoses
        still = self._studio.idle and not self._rest.isActive() and self._shown is not None and self._shown.resting
        return bool(self._breakdown) or (self._awake and built and still)

    def wait(self, timeout_s: float = 60.0) -> bool:
        """Turn the event loop until complete; False where that took longer. For pictures made without a person."""
        if self._patience.isActive():
            self._patience.stop()
            self._build()
        self._wake()
        self._follower.flush()
        deadline = time.monotonic() + timeout_s
        while not self.complete:
            if time.monotonic() > deadline:
                return False
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)
            time.sleep(0.002)
        return True

    def look_from(self, side: str) -> None:
        """Turn to a standard view ("A", "P", "L", "R", "H" or "F") and show everything."""
        self._orbit = self._orbit.seen_from(side)
        self._fit(again=True)
        self._ask()

    def pick(self, position: QPointF) -> str | None:
        """Id of the structure in front at a position of the widget; the body only where nothing else is."""
        ray = self._orbit.ray(position.x(), position.y(), self.width(), self.height())
        eye = self._orbit.eye_mm
        hits: list[tuple[bool, float, str]] = []
        for drawn in self._session.scene.drawn:
            mesh = self._mesh(drawn.structure)
            if mesh is None:
                continue
            to = drawn.to_structure
            distance = distance_to_hit(mesh, mapped(to, eye), mapped(to, ray, 0.0))
            if distance is not None:
                hits.append((drawn.structure.type == "EXTERNAL", distance, drawn.structure.id))
        return min(hits)[2] if hits else None

    def notes(self) -> list[str]:
        """What is missing in the picture, in words."""
        if self._breakdown:
            return [self._breakdown]
        scene = self._session.scene
        notes = [text for text in (scene.contour_refusal, scene.dose_refusal) if text]
        missing = len(self._missing())
        if missing:
            notes.append(f"building {missing} of {len(scene.drawn)} surfaces …")
        elif self._isodoses_missing() or self._building_isodoses:
            notes.append("building isodose surfaces …")
        notes += [f"{s.name}: no surface, {why}" for s, why in self._failures.values() if self._is_drawn(s)]
        return notes

    # -- following the session ------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self._jobs.cancel(self._key("surface"))
            self._jobs.cancel(self._key("isodoses"))
            self._building, self._building_isodoses = None, False
            self._meshes.clear()
            self._failures.clear()
            self._isodoses = (None, (), {})
            self._orbit, self._fitted = Orbit(), None
        # While a stroke is drawn the solid stays as it was: to build it anew at every move would take the time of the stroke.
        if self._awake and self._session.view.stroke is None:
            if changes.edited and self._missing():
                self._patience.start()  # volumes and DVHs come first
            elif not self._patience.isActive():
                self._build_and_ask()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            self._build_and_ask()

    def _build_and_ask(self) -> None:
        self._build()
        self._ask()

    def _build(self) -> None:
        """Have the next missing surface made: one at a time, so that the other work of the window finds a free thread."""
        self._fit()
        missing = self._missing()
        if missing and self._building is None:
            structure = min(missing, key=lambda s: s.type == "EXTERNAL")
            self._building = structure.id
            self._jobs.run(
                f"3D surface of {structure.name}",
                lambda progress: _structure_mesh(structure, progress),
                lambda mesh: self._built(structure, mesh),
                lambda error: self._not_built(structure, error),
                key=self._key("surface"),
            )
        if self._isodoses_missing() and not self._building_isodoses:
            layer = self._session.scene.dose
            assert layer is not None
            dose, levels = layer.dose, tuple(sorted(i.gy for i in layer.isodoses))
            self._building_isodoses = True
            self._jobs.run(
                "3D isodose surfaces",
                lambda _: _isodose_meshes(dose, levels),
                lambda meshes: self._isodoses_built(dose, levels, meshes),
                lambda _: self._isodoses_built(dose, levels, {}),
                key=self._key("isodoses"),
            )

    def _key(self, what: str) -> str:
        return f"3D {what} {id(self)}"

    def _built(self, structure: Structure, mesh: Mesh) -> None:
        self._building = None
        self._meshes[structure.id] = (structure, mesh)
        self._failures.pop(structure.id, None)
        if len(mesh.triangles) == 0:
            self._failures[structure.id] = (structure, "too thin to be drawn")
        self._build_and_ask()

    def _not_built(self, structure: Structure, error: Exception) -> None:
        self._building = None
        self._meshes.pop(structure.id, None)
        self._failures[structure.id] = (structure, str(error))
        self._build_and_ask()

    def _isodoses_built(self, dose: Dose, levels: tuple[float, ...], meshes: Mapping[float, Mesh]) -> None:
        self._building_isodoses = False
        self._isodoses = (dose, levels, meshes)
        self._build_and_ask()

    def _missing(self) -> list[Structure]:
        """Structures to be drawn whose surface is not there or is that of another shape; none while a stroke is drawn."""
        if self._session.view.stroke is not None:
            return []
        return [d.structure for d in self._session.scene.drawn if not self._is_known(d.structure)]

    def _is_known(self, structure: Structure) -> bool:
        for known in (self._meshes.get(structure.id), self._failures.get(structure.id)):
            if known is not None and known[0].same_shape(structure):
                return True
        return False

    def _isodoses_missing(self) -> bool:
        layer = self._session.scene.dose
        if layer is None or not layer.lines:
            return False
        dose, levels, _ = self._isodoses
        return dose is not layer.dose or levels != tuple(sorted(i.gy for i in layer.isodoses))

    def _is_drawn(self, structure: Structure) -> bool:
        return any(d.structure.id == structure.id for d in self._session.scene.drawn)

    def _mesh(self, structure: Structure) -> Mesh | None:
        """The newest surface of a structure, which may be the one before an edit that is still being worked on."""
        known = self._meshes.get(structure.id)
        return known[1] if known is not None and len(known[1].triangles) else None

    # -- the picture ----------------------------------------------------------------------------------------------------

    def _fit(self, again: bool = False) -> None:
        """Show everything but the skin, once for each structure set and base image."""
        scene, view = self._session.scene, self._session.view
        state = (view.structure_set, view.base)
        if not again and (self._fitted == state or not scene.drawn):
            return
        inner = [d for d in scene.drawn if d.structure.type != "EXTERNAL"] or list(scene.drawn)
        if inner:
            low, high = _bounds(inner)
            self._orbit = self._orbit.fitted(low, high, self.width() / max(1, self.height()))
            self._crosshair_half = float(np.linalg.norm(high - low)) / 2
            self._fitted = state

    def _ask(self, resting: bool = False) -> None:
        """Have the scene drawn; when nothing more happens for a moment, once more with care."""
        if not self._awake or self._breakdown:
            return
        self._wanted_rest = resting
        self._studio.ask(self._shot)
        if resting:
            self._rest.stop()
        else:
            self._rest.start()

    def _shot(self) -> Shot:
        """The wish as it stands when the thread is free for it."""
        ratio = self.devicePixelRatioF()
        width, height = max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))
        resting = self._wanted_rest and not self._dragging
        if not resting and width * height > PIXELS_IN_MOTION:
            scale = (PIXELS_IN_MOTION / (width * height)) ** 0.5
            width, height = max(1, round(width * scale)), max(1, round(height * scale))
        scene = self._session.scene
        accent = QColor(theme().canvas_accent)
        cross = None
        if scene.crosshair and scene.base is not None:
            colour = (accent.red(), accent.green(), accent.blue())
            cross = Crosshair(scene.point_mm, self._crosshair_half, colour)
        ground = QColor(theme().canvas)
        background = (ground.red(), ground.green(), ground.blue())
        return Shot(self._pieces(scene), self._orbit, (width, height), cross, background, resting)

    def _pieces(self, scene: Scene) -> dict[str, Piece]:
        pieces: dict[str, Piece] = {}
        someone = any(d.highlighted for d in scene.drawn)
        wrappers = self._wrappers(scene)
        for drawn in scene.drawn:
            mesh = self._mesh(drawn.structure)
            if mesh is not None:
                pieces[f"structure {drawn.structure.id}"] = Piece(
                    mesh, _look(drawn, someone, drawn.structure.id in wrappers)
                )
        layer = scene.dose
        dose, _, meshes = self._isodoses
        if layer is not None and layer.lines and dose is layer.dose:
            colours = {i.gy: i.colour for i in layer.isodoses}
            shown = [(gy, mesh) for gy, mesh in meshes.items() if gy in colours and len(mesh.triangles)]
            to_base = _inverse(layer.to_layer)
            for rank, (gy, mesh) in enumerate(shown):
                opacity = 0.18 + 0.2 * rank / max(1, len(shown) - 1)
                pieces[f"isodose {gy}"] = Piece(mesh, Look(colours[gy], opacity, to_base, glow=0.6))
        return pieces

    def _wrappers(self, scene: Scene) -> frozenset[str]:
        """The body, and what goes around nearly everything as it does, such as a rind of skin: to be looked through."""
        boxes = {d.structure.id: m.bounds_mm for d in scene.drawn if (m := self._mesh(d.structure)) is not None}
        around = {d.structure.id for d in scene.drawn if d.structure.type == "EXTERNAL"}
        if len(boxes) > 2:
            every = np.array(list(boxes.values()))
            across = (every[:, 1].max(axis=0) - every[:, 0].min(axis=0))[:2]
            around |= {i for i, (low, high) in boxes.items() if ((high - low)[:2] > 0.9 * across).all()}
        return frozenset(around)

    def _arrived(self, shot: Shot, pixels: NDArray[np.uint8]) -> None:
        height, width, _ = pixels.shape
        self._pixels = pixels  # QImage looks at this memory and does not own it
        self._image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
        self._shown = shot
        self.update()

    def _broke(self, why: str) -> None:
        self._breakdown = why
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._awake:
            QTimer.singleShot(0, self, self._wake)
        colours = theme()
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(colours.canvas))
        scene = self._session.scene
        if self._image is None or self._shown is None or not (scene.drawn or scene.dose):
            painter.setPen(QColor(colours.canvas_muted))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._emptiness(scene))
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self.rect(), self._image)
            self._paint_cube(painter, self._shown.orbit)
            self._paint_legend(painter)
        self._paint_words(painter, scene)

    def _emptiness(self, scene: Scene) -> str:
        if scene.base is None or self._breakdown:
            return "3D"
        if not self._session.case.structure_sets and scene.dose is None:
            return "3D: no structures and no dose"
        if not scene.drawn and scene.dose is None and not scene.contour_refusal:
            return "3D: all structures are hidden"
        return "3D"

    def _paint_words(self, painter: QPainter, scene: Scene) -> None:
        colours = theme()
        group = self._session.structure_set
        lines = []
        if scene.base is not None:
            shown = structure_set_title(group) if group else ""
            if scene.compared is not None:
                shown = "A {}, B {}".format(*scene.compared.labels)
            lines.append((f"3D · {shown}" if shown else "3D", colours.canvas_text))
        lines += [(note, colours.canvas_accent) for note in self.notes()]
        metrics = painter.fontMetrics()
        y = RHYTHM + metrics.ascent()
        room = self.width() - 2 * RHYTHM - (CUBE_PX * 2 if self._image is not None else 0)
        for text, colour in lines:
            for part in _wrapped(text, metrics, room):
                _outlined(painter, QPointF(RHYTHM, y), part, QColor(colour))
                y += metrics.height()
        name = self._hovered_name
        if name:
            x = (self.width() - metrics.horizontalAdvance(name)) / 2
            _outlined(
                painter, QPointF(x, self.height() - RHYTHM - metrics.descent()), name, QColor(colours.canvas_text)
            )

    def _paint_cube(self, painter: QPainter, orbit: Orbit) -> None:
        faces = cube_faces(orbit, self._cube_centre(), CUBE_PX)
        paint_cube(painter, faces, QColor(theme().canvas_text), self._hovered_side)

    def _cube_centre(self) -> QPointF:
        return QPointF(self.width() - RHYTHM - CUBE_PX * 0.85, RHYTHM + CUBE_PX * 0.85)

    def _paint_legend(self, painter: QPainter) -> None:
        """The dose and its levels that have a surface in the picture."""
        scene = self._session.scene
        if self._shown is None or scene.dose is None:
            return
        levels = [i for i in scene.dose.isodoses if f"isodose {i.gy}" in self._shown.pieces]
        if not levels:
            return
        metrics = painter.fontMetrics()
        y = self.height() - RHYTHM - metrics.descent()
        muted = QColor(theme().canvas_text)
        for isodose in sorted(levels, key=lambda i: i.gy):
            painter.fillRect(QRect(RHYTHM, round(y) - 8, 8, 8), QColor(*isodose.colour))
            _outlined(painter, QPointF(RHYTHM + 14, y), f"{isodose.gy:g} Gy", muted)
            y -= metrics.height()
        title = dose_title(scene.dose.dose, self._session.case.plan(scene.dose.dose.plan_id))
        label = metrics.elidedText(title, Qt.TextElideMode.ElideRight, self.width() // 2)
        _outlined(painter, QPointF(RHYTHM, y), label, QColor(theme().canvas_muted))

    # -- hands ----------------------------------------------------------------------------------------------------------

    def _side_buttons(self) -> QWidget:
        row = QWidget(self)
        row.setObjectName("standardViews")
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        for side in STANDARD_VIEWS:
            button = QToolButton(row)
            button.setObjectName(f"view{side}")
            button.setText(side)
            button.setToolTip(f"View from {SIDE_NAMES[side]} (Shift+{side})")
            button.setAccessibleName(f"View from {SIDE_NAMES[side]}")
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setFixedSize(17, 17)
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            t = theme()
            button.setStyleSheet(
                f"QToolButton {{ background: rgba(16, 20, 26, 160); color: {t.canvas_muted}; border: 0; padding: 0;"
                " min-height: 0; border-radius: 2px; font-size: 10px; }"
                f"QToolButton:hover {{ color: {t.canvas_text}; background: rgba(80, 92, 108, 200); }}"
            )
            button.clicked.connect(lambda _=False, s=side: self.look_from(s))
            layout.addWidget(button)
        row.adjustSize()
        return row

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._sides.move(self.width() - RHYTHM - self._sides.width(), self.height() - RHYTHM - self._sides.height())
        self._sides.setVisible(self.width() >= 200)
        self._ask()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._press = self._last = event.position()
        self._dragging = False
        self._say("")

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        here = event.position()
        if self._press is None or event.buttons() == Qt.MouseButton.NoButton:
            side = self._side_at(here)
            if side != self._hovered_side:
                self._hovered_side = side
                self.update()
            self._last = here
            self._hover.start()
            return
        if not self._dragging and (here - self._press).manhattanLength() < CLICK_PX:
            return
        self._dragging = True
        dx, dy = here.x() - self._last.x(), here.y() - self._last.y()
        self._last = here
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._orbit = self._orbit.turned(dx * DEGREES_PER_PIXEL, dy * DEGREES_PER_PIXEL)
        elif event.buttons() & Qt.MouseButton.RightButton:
            self._orbit = self._orbit.zoomed(float(np.exp(-dy * 0.01)))
        elif event.buttons() & Qt.MouseButton.MiddleButton:
            self._orbit = self._orbit.panned(dx, dy, self.height())
        self._ask()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        clicked = self._press is not None and not self._dragging and event.button() == Qt.MouseButton.LeftButton
        self._press, self._dragging = None, False
        if not clicked:
            self._ask()
            return
        side = self._side_at(event.position())
        if side is not None:
            self.look_from(side)
            return
        self._highlight_before = self._session.view.highlighted
        self._session.look(highlighted=self.pick(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._side_at(event.position()) is None:
            self._session.look(highlighted=self._highlight_before)  # the first click of the two meant no structure
            self.maximise_requested.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._orbit = self._orbit.zoomed(1.15 ** (event.angleDelta().y() / 120))
        self._ask()
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        side = event.text().upper()
        if event.modifiers() == Qt.KeyboardModifier.ShiftModifier and side in STANDARD_VIEWS:
            self.look_from(side)
            return
        super().keyPressEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hover.stop()
        self._hovered_side = None
        self._say("")

    def _side_at(self, position: QPointF) -> str | None:
        if self._shown is None:
            return None
        faces = cube_faces(self._shown.orbit, self._cube_centre(), CUBE_PX)
        for side in reversed(faces):
            if QPolygonF(faces[side]).containsPoint(position, Qt.FillRule.OddEvenFill):
                return side
        return None

    def _name_under_pointer(self) -> None:
        picked = None if self._press is not None or self._hovered_side else self.pick(self._last)
        structure = self._session.case.structure(picked)
        self._say(structure.name if structure else "")

    def _say(self, name: str) -> None:
        if name != self._hovered_name:
            self._hovered_name = name
            self.update()


def _structure_mesh(structure: Structure, progress: Progress) -> Mesh:
    # In the job's thread: the first call imports VTK and the geometry that is compiled on use.
    surfaces = load(".surface", __package__)
    mesh: Mesh = surfaces.structure_mesh(structure, progress.cancelled)
    return mesh


def _isodose_meshes(dose: Dose, levels: tuple[float, ...]) -> Mapping[float, Mesh]:
    surfaces = load(".surface", __package__)
    meshes: Mapping[float, Mesh] = surfaces.isodose_meshes(dose, levels)
    return meshes


def _look(drawn: Drawn, someone_highlighted: bool, wraps: bool) -> Look:
    structure = drawn.structure
    opacity = _WRAPPER_OPACITY if wraps else _OPACITY.get(structure.type, _ORGAN_OPACITY)
    solid = 0.3 if wraps else 1.0
    if drawn.highlighted:
        return Look(structure.colour, solid, _inverse(drawn.to_structure), glow=0.4)
    if drawn.filled:
        opacity = solid
    return Look(structure.colour, opacity * (0.4 if someone_highlighted else 1.0), _inverse(drawn.to_structure))


def _inverse(matrix: Matrix) -> Matrix:
    rows = np.linalg.inv(np.array(matrix))
    return tuple((float(r[0]), float(r[1]), float(r[2]), float(r[3])) for r in rows)


def _bounds(drawn: Sequence[Drawn]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest patient coordinates of the boxes around structures, in the frame of the base image."""
    corners = []
    for d in drawn:
        grid, planes = d.structure.grid, d.structure.planes
        low_u, low_v, high_u, high_v = shapely.total_bounds(np.array(list(planes.values()), dtype=object))
        w = grid.positions_mm[[min(planes), max(planes)]]
        uvw = np.array([(u, v, p) for u in (low_u, high_u) for v in (low_v, high_v) for p in w])
        to_base = np.linalg.inv(np.array(d.to_structure))
        corners.append(grid.point_mm(uvw) @ to_base[:3, :3].T + to_base[:3, 3])
    every = np.concatenate(corners)
    return every.min(axis=0), every.max(axis=0)


def _outlined(painter: QPainter, at: QPointF, text: str, colour: QColor) -> None:
    """Text that can be read on any picture."""
    painter.setPen(QColor(0, 0, 0, 200))
    for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        painter.drawText(at + QPointF(dx, dy), text)
    painter.setPen(colour)
    painter.drawText(at, text)


def _wrapped(text: str, metrics: QFontMetrics, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split(" "):
        if lines and metrics.horizontalAdvance(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
