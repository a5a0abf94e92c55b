"""Paints one slice from the bottom up: picture, isodoses, structures, marks, words. `SliceView` says where and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QRegion, QTransform

from reviewer.changes import CaseOpened, Change, StructuresChanged, ViewChanged, VoxelsArrived
from reviewer.scene import Scene
from reviewer.session import Session

from ..theme import theme
from . import late
from .ahead import Ahead
from .contours import Contours
from .differences import Differences
from .facts import Room, facts_of
from .framing import Framing
from .interaction import Distance
from .layers import Kept, Layers, Picture
from .map_wash import Wash, paint_wash, wash
from .marks import paint_crosshair, paint_distances, paint_focus, paint_style_marks
from .paths import Outlines
from .pointed import Pointed
from .sheet import Sheet
from .viewport import Pair, Slices, Viewport
from .words import Words


@dataclass(frozen=True)
class Touched:
    """What the hand adds to a slice. cursor: logical pixel, None outside; pointed: what is under it; held: whether a gesture is under way."""

    cursor: Pair | None
    pointed: Pointed | None
    distances: tuple[Distance, ...]
    held: bool
    focus: bool


class Painting:
    """What one view keeps from paint to paint, and how it paints."""

    def __init__(self, session: Session, framing: Framing) -> None:
        self.outlines = Outlines()
        self.words = Words()
        self._session = session
        self._framing = framing
        self._layers = Layers()
        self._contours = Contours(self.outlines)
        self._differences = Differences()
        self._wash: Kept[Wash | None] = Kept()
        self._sheet = Sheet()
        self._ahead = Ahead(self._prepare)
        session.changed.connect(self.hear)  # at once: a paint may come before the next turn of the event loop

    def hear(self, message: Change) -> None:
        """Let go of what a change has made untrue."""
        if isinstance(message, CaseOpened):
            self._layers = Layers()
            for kept in (self._framing, self.outlines, self._contours, self._differences):
                kept.clear()
        elif isinstance(message, VoxelsArrived):
            self._layers.arrived(message.image_id)
        elif isinstance(message, StructuresChanged):
            self.outlines.forget(message.structure_ids)
        elif isinstance(message, ViewChanged) and "stroke" in message.fields:
            self.outlines.draw(self._session.view.stroke)

    def waits(self, port: Viewport) -> bool:
        """Whether a paint in a moment will show more of an edit than one now."""
        if not late.ready():
            return False
        waiting = [drawn for drawn in self._session.scene.drawn if self.outlines.waits(drawn, port)]  # asks for each
        return bool(waiting)

    def settle(self) -> None:
        """Come back when the next paint will be complete."""
        late.wait()
        scene = self._session.scene
        compared = () if scene.compared is None else (scene.compared.a, scene.compared.b)
        for drawn in (*scene.drawn, *scene.preview, *compared):
            self.outlines.build(drawn)

    def _prepare(self, port: Viewport, lens: Pair | None) -> Iterator[None]:
        """Make ready what a paint of another slice will need, one thing at a time."""
        scene = self._session.scene
        slices = self._framing.slices(scene)
        if slices is None or not late.ready():
            return
        for drawn in scene.drawn:
            self.outlines.of(drawn, port, True)
            yield
        yield from self._layers.prepare(scene, slices, port, lens)

    def paint(self, painter: QPainter, port: Viewport | None, size: QRect, touched: Touched) -> None:
        """Paint all of a view; size: its logical pixels. port: where things are, None without an image."""
        painter.setFont(self.words.font)
        colours = theme()
        scene = self._session.scene
        slices = self._framing.slices(scene)
        if port is None or slices is None:
            painter.fillRect(size, QColor(colours.canvas))
            painter.setPen(QColor(colours.canvas_muted))
            painter.drawText(size, Qt.AlignmentFlag.AlignCenter, "no image")
            return
        loaded = late.ready()

        picture = self._layers.picture(scene, slices, port, touched.cursor, loaded)
        # what follows up to the first stroke of the painter is done while another thread makes the picture
        lines = self._layers.isodose_lines(scene.dose, slices, port) if scene.dose and scene.dose.lines else ()
        to_screen = QTransform.fromScale(1 / port.mm_per_pixel, 1 / port.mm_per_pixel)
        to_screen *= QTransform.fromTranslate(*port.pixel((0.0, 0.0)))
        against = scene.against if scene.against is not None and scene.against.lines else None
        others = () if against is None else self._layers.other_isodose_lines(against, slices, port)
        resting, lively = self._contours.met(scene, port, loaded)
        words, room, pointed = self.words, Room(port.size), touched.pointed
        zoom = self._framing.fit(slices, port.size).mm_per_pixel / port.mm_per_pixel
        complete = loaded and not late.building()
        words.place(facts_of(scene, slices, port, zoom, pointed.text if pointed else "", complete), port, room)

        _paint_picture(painter, picture, port, size)
        self._paint_map(painter, scene, slices, port)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)

        def rest(sheet: QPainter) -> None:
            sheet.setTransform(to_screen, True)
            self._contours.paint_isodoses(sheet, lines)
            self._contours.paint_isodoses(sheet, others, dashed=True)
            self._contours.paint_structures(sheet, resting, ())

        self._sheet.paint(painter, (port, lines, others, resting), port.size, rest)
        painter.save()
        painter.setTransform(to_screen, True)
        self._contours.paint_structures(painter, lively, scene.preview)
        painter.restore()
        if scene.compared is not None:
            a, b = (self.outlines.of(d, port, loaded) for d in (scene.compared.a, scene.compared.b))
            self._differences.paint(painter, a, b, to_screen)

        paint_style_marks(painter, scene, port, touched.cursor)
        if scene.crosshair:
            paint_crosshair(painter, port, scene.point_mm)
        paint_distances(painter, touched.distances, port, words)
        words.paint_scale(painter, port)
        if scene.compared is not None:
            words.paint_compared_legend(painter, scene.compared, room)
        if scene.map is not None:
            words.paint_map_legend(painter, scene.map.map, room)
        words.paint_isodose_legend(painter, scene.dose, self._session.view.reference_gy, room)
        words.paint_isodose_labels(painter, lines, port, room)
        words.paint_facts(painter)
        if pointed and pointed.structures and touched.cursor is not None and not touched.held:
            words.paint_hover(painter, pointed.structures, touched.cursor, port.size)
        if touched.focus:
            paint_focus(painter, port.size)
        self._ahead.painted(slices, port, touched.cursor)

    def _paint_map(self, painter: QPainter, scene: Scene, slices: Slices, port: Viewport) -> None:
        layer, lattice = scene.map, port.lattice(slices.box_mm)
        if layer is not None and lattice is not None:
            made = self._layers.map_cut(layer, slices, port)
            key = layer.map, layer.to_layer, lattice, port.plane, port.position_mm
            paint_wash(painter, self._wash.get(key, lambda: wash(made, layer, lattice)), port)


def _paint_picture(painter: QPainter, picture: Picture | None, port: Viewport, size: QRect) -> None:
    """The picture, and the canvas around it."""
    black = QColor(theme().canvas)
    if picture is None:
        painter.fillRect(size, black)
        return
    pixels = picture.pixels
    image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(port.ratio)
    x, y = picture.lattice.corner
    if port.ratio == 1:
        for rect in QRegion(size) - QRegion(QRect(x, y, *picture.lattice.size)):
            painter.fillRect(rect, black)
    else:  # the border may be a fraction of a logical pixel
        painter.fillRect(size, black)
    painter.drawImage(QPointF(x / port.ratio, y / port.ratio), image)
