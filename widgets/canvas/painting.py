"""Paints one slice from the bottom up: picture, isodoses, structures, marks, words. `SliceView` says where and what for.

A `Plan` is made before anything is painted: compared with the one before it tells which parts of the view have to be painted anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QPointF, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QRegion

from reviewer.changes import (
    CaseOpened,
    Change,
    HistoryChanged,
    JournalChanged,
    StructuresChanged,
    ViewChanged,
    VoxelsArrived,
)
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
from .layers import Kept, Layers, Lines, Picture
from .map_wash import Wash, paint_wash, wash
from .marks import crosshair, distance_marks, focus, style_marks
from .paths import Outlines
from .pointed import Pointed
from .repaint import Mark, differing, merged
from .sheet import Sheet, draw
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

    @property
    def named(self) -> tuple[tuple[str, ...], Pair] | None:
        """The names that stand beside the cursor, and where that is."""
        if self.pointed is None or not self.pointed.structures or self.cursor is None or self.held:
            return None
        return self.pointed.structures, self.cursor

    @property
    def told(self) -> object:
        """What the words of a view say of the hand."""
        return self.pointed and self.pointed.text, self.named


@dataclass(frozen=True)
class Plan:
    """What is to be seen of a view, from the bottom up: the picture, what rests upon it, outlines that live, words, what the hand draws with.

    Each part has marks of its own; one that is as it was is the very same tuple.
    """

    under: tuple[Mark, ...]
    resting: tuple[Mark, ...] = ()
    lively: tuple[Mark, ...] = ()
    said: tuple[Mark, ...] = ()
    hand: tuple[Mark, ...] = ()

    def unlike(self, before: Plan) -> list[QRect]:
        """Boxes around all that is not as it was."""
        if self.under is not before.under and [m.look for m in self.under] != [m.look for m in before.under]:
            return [self.under[0].box]  # another picture, and that is everywhere
        ours, theirs = ((p.resting, p.lively, p.said, p.hand) for p in (self, before))
        return merged([box for a, b in zip(theirs, ours, strict=True) if a is not b for box in differing(a, b)])


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
        self.heard = self._strokeless = self._editless = 0
        self._steady: tuple[object, tuple[Mark, ...], tuple[Mark, ...], tuple[Lines, ...]] | None = None
        self._said: tuple[object, tuple[Mark, ...]] | None = None
        session.changed.connect(self.hear)  # at once: a paint may come before the next turn of the event loop

    def hear(self, message: Change) -> None:
        """Let go of what a change has made untrue."""
        self.heard += 1
        if not (isinstance(message, ViewChanged) and message.fields == {"stroke"}):
            self._strokeless += 1
            if not isinstance(message, (StructuresChanged, HistoryChanged, JournalChanged)):
                self._editless += 1
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
        self._steady = None
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

    def plan(self, port: Viewport | None, size: QRect, touched: Touched) -> Plan:
        """What is to be seen of a view now; size: its logical pixels. port: where things are, None without an image."""
        scene = self._session.scene
        slices = self._framing.slices(scene)
        if port is None or slices is None:
            return Plan((_no_image(size),))
        loaded = late.ready()
        complete = loaded and not late.building()
        # while a stroke is drawn nothing else differs from move to move, but what is under the hand
        lens = touched.cursor if scene.style == "spyglass" else None
        stroke = self._session.view.stroke
        place = port, size.getRect(), theme().name, lens, complete, late.finished()
        key = self._strokeless, stroke and stroke.id, place
        if self._steady is None or self._steady[0] != key or not complete:
            self._steady = key, *self._resting(scene, slices, port, size, touched, loaded)
        _, under, resting, lines = self._steady
        zoom = self._framing.fit(slices, port.size).mm_per_pixel / port.mm_per_pixel
        # all that an edit may change in what is said
        edited = zoom, scene.contour_refusal, scene.compared_refusal, scene.compared
        told = self._editless, place, edited, touched.told, touched.distances, touched.focus
        if self._said is None or self._said[0] != told or not complete:
            self._said = told, tuple(self._above(scene, slices, port, size, touched, lines, zoom, complete))
        return Plan(under, resting, self._contours.lively(scene, port, loaded), self._said[1])

    def _resting(
        self, scene: Scene, slices: Slices, port: Viewport, size: QRect, touched: Touched, loaded: bool
    ) -> tuple[tuple[Mark, ...], tuple[Mark, ...], tuple[Lines, ...]]:
        """The picture, the lines that rest upon it, and of these the isodoses."""
        picture = self._layers.picture(scene, slices, port, touched.cursor, loaded)
        # what follows up to the first stroke of the painter is done while another thread makes the picture
        lines = self._layers.isodose_lines(scene.dose, slices, port) if scene.dose and scene.dose.lines else ()
        against = scene.against if scene.against is not None and scene.against.lines else None
        others = () if against is None else self._layers.other_isodose_lines(against, slices, port)
        isodoses = [self._contours.isodoses(lines, port)] if lines else []
        dashed = [self._contours.isodoses(others, port, dashed=True)] if others else []
        rest = self._contours.resting(scene, port, loaded)
        under = _picture(picture, port, size), *self._map(scene, slices, port, size)
        return under, (*isodoses, *dashed, *rest), lines

    def _above(
        self,
        scene: Scene,
        slices: Slices,
        port: Viewport,
        size: QRect,
        touched: Touched,
        lines: tuple[Lines, ...],
        zoom: float,
        complete: bool,
    ) -> Iterator[Mark]:
        """What lies above the contours: words above all."""
        words, room, pointed = self.words, Room(port.size), touched.pointed
        words.place(facts_of(scene, slices, port, zoom, pointed.text if pointed else "", complete), port, room)
        yield from self._compared(scene, port, size, late.ready())
        yield from style_marks(scene, port, touched.cursor)
        if scene.crosshair:
            yield from crosshair(port, scene.point_mm)
        yield from distance_marks(touched.distances, port, words)
        yield from words.scale(port)
        if scene.compared is not None:
            yield from words.compared_legend(scene.compared, room)
        if scene.map is not None:
            yield from words.map_legend(scene.map.map, room)
        yield from words.isodose_legend(scene.dose, self._session.view.reference_gy, room)
        yield from words.isodose_labels(lines, port, room)
        yield from words.facts()
        if touched.named is not None:
            yield words.hover(*touched.named, port.size)
        if touched.focus:
            yield focus(port.size)

    def paint(
        self, painter: QPainter, plan: Plan, port: Viewport | None, boxes: Sequence[QRect], lens: Pair | None
    ) -> None:
        """Paint what lies in some boxes of logical pixels, the rest of the view stays as it is. lens: see `Layers.picture`."""
        painter.setFont(self.words.font)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if port is not None:
            self._sheet.prepare(plan.resting, port)
        above = plan.lively, plan.said, plan.hand
        for box in boxes:
            painter.setClipRect(box)
            draw(painter, plan.under, box)
            self._sheet.paint(painter, box)
            for marks in above:
                draw(painter, marks, box)
        slices = self._framing.slices(self._session.scene)
        if port is not None and slices is not None:
            self._ahead.painted(slices, port, lens)

    def _map(self, scene: Scene, slices: Slices, port: Viewport, size: QRect) -> Iterator[Mark]:
        layer, lattice = scene.map, port.lattice(slices.box_mm)
        if layer is not None and lattice is not None:
            made = self._layers.map_cut(layer, slices, port)
            key = layer.map, layer.to_layer, lattice, port.plane, port.position_mm
            found = self._wash.get(key, lambda: wash(made, layer, lattice))
            yield Mark("map", (found, port), size, lambda painter, _: paint_wash(painter, found, port))

    def _compared(self, scene: Scene, port: Viewport, size: QRect, loaded: bool) -> Iterator[Mark]:
        if scene.compared is not None:
            a, b = (self.outlines.of(d, port, loaded) for d in (scene.compared.a, scene.compared.b))
            yield Mark("compared", (a, b, port), size, lambda painter, _: self._differences.paint(painter, a, b, port))


def _no_image(size: QRect) -> Mark:
    colours = theme()

    def draw(painter: QPainter, _: QRect) -> None:
        painter.fillRect(size, QColor(colours.canvas))
        painter.setPen(QColor(colours.canvas_muted))
        painter.drawText(size, Qt.AlignmentFlag.AlignCenter, "no image")

    return Mark("no image", (size.getRect(), colours.name), size, draw)


def _picture(picture: Picture | None, port: Viewport, size: QRect) -> Mark:
    """The picture, and the canvas around it."""
    black = QColor(theme().canvas)

    @cache
    def placed() -> tuple[QImage | None, list[QRect]]:
        """The picture as Qt takes it, which waits until it is made, and what lies around it."""
        if picture is None:
            return None, [size]
        pixels = picture.pixels
        image = QImage(pixels.data, pixels.shape[1], pixels.shape[0], pixels.strides[0], QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(port.ratio)
        if port.ratio != 1:  # the border may be a fraction of a logical pixel
            return image, [size]
        return image, list(QRegion(size) - QRegion(QRect(*picture.lattice.corner, *picture.lattice.size)))

    def draw(painter: QPainter, _: QRect) -> None:
        image, around = placed()
        for rect in around:
            painter.fillRect(rect, black)
        if picture is not None and image is not None:
            x, y = picture.lattice.corner
            painter.drawImage(QPointF(x / port.ratio, y / port.ratio), image)

    return Mark("picture", (picture, port, black.rgba()), size, draw)
