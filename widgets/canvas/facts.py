"""What a slice view says in words, and where the words go so that none lies on another. No Qt: the width of a text is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from reviewer.case import Image
from reviewer.scene import DoseLayer, Isodose, Layer, Scene

from .viewport import Slices, Viewport, letters_of

Role = Literal["normal", "muted", "accent", "caution"]
Corner = Literal["top left", "bottom left", "bottom right", "left", "right", "top", "bottom"]
Box = tuple[float, float, float, float]
"""x, y, width, height in logical pixels."""

EDGE = 8.0
"""Distance of the words from the view's border."""

ROWS_TRIED = 6
"""How many lines further into the view a text may move where its place is taken."""

LETTER_APART = 24.0
"""From a letter above or below to words beside it, so that it is not read as theirs."""

ASIDE = (0.0, 8.0, -8.0, 16.0, -16.0, 24.0, -24.0)
"""How far to the side the letters above and below may stand, before they move a line into the view."""

SCALE_BAR_CM = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Fact:
    """One line. texts: from the longest form to the shortest; the first that has room is shown. must: cut short rather than left out."""

    name: str
    corner: Corner
    texts: tuple[str, ...]
    role: Role = "normal"
    must: bool = False


@dataclass(frozen=True)
class Placed:
    fact: Fact
    text: str
    box: Box


def image_texts(image: Image) -> tuple[str, ...]:
    """An image in words, from full to brief: description, modality and field strength, date."""
    field = f" {image.field_strength_t:g} T" if image.field_strength_t else ""
    kind = f"{image.modality}{field}".strip()
    name = image.description or kind or "image"
    # a description that already says the modality need not be told again
    full = name if kind and kind.lower() in name.lower() else " · ".join(t for t in (name, kind) if t)
    dated = f"{full} · {image.date}" if image.date else full
    return tuple(dict.fromkeys((dated, full, name)))


def position_text(port: Viewport) -> str:
    """The slice in patient terms: the side that it lies on from the frame's origin, and how far. An oblique slice counts along its normal."""
    normal = port.plane.normal
    towards = normal if port.position_mm >= 0 else (-normal[0], -normal[1], -normal[2])
    return f"{letters_of(towards)} {abs(port.position_mm):.1f} mm"


def number(value: float) -> str:
    """Three significant figures for signal, whole numbers from 100 on."""
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def window_text(layer: Layer) -> str:
    return f"W {number(layer.window.width)}  L {number(layer.window.level)}"


def overlay_texts(scene: Scene) -> tuple[str, ...]:
    assert scene.overlay is not None
    how = f"{scene.blend:.0%}".replace("%", " %") if scene.style == "blend" else scene.style
    names = image_texts(scene.overlay.image)
    window = window_text(scene.overlay)
    full = names[min(1, len(names) - 1)]  # without its date
    brief = names[-1]
    return f"over: {full} · {how} · {window}", f"over: {full} · {how}", f"over: {brief} · {how}", f"{how} over: {brief}"


def dose_texts(layer: DoseLayer) -> tuple[str, ...]:
    """The dose in words; what is not a plan's physical dose says so, and what a backend computed says what it says of itself."""
    dose = layer.dose
    full = " · ".join((f"dose: {dose.title}", *dose.unusual))
    dated = f"{full} · {dose.date}" if dose.date else full
    told = (f"{full} · {dose.statements[0]}",) if dose.statements else ()
    return tuple(dict.fromkeys((*told, dated, full)))


def level_text(level: Isodose, reference_gy: float | None) -> str:
    share = f"  {100 * level.gy / reference_gy:.0f} %" if reference_gy else ""
    return f"{level.gy:g} Gy{share}"


def facts_of(
    scene: Scene, slices: Slices, port: Viewport, zoom: float, pointed: str, complete: bool = True
) -> tuple[Fact, ...]:
    """Everything that a view says, the most important first. complete: False while cuts and oblique overlays are not drawn yet."""
    if scene.base is None:
        return ()
    index = slices.nearest(port.point_mm(port.middle_mm))
    position = position_text(port)
    lines = [
        Fact("image", "top left", image_texts(scene.base.image), must=True),
        Fact("position", "bottom left", (f"{position}   {index + 1}/{len(slices.positions_mm)}", position)),
    ]
    refusals = (scene.overlay_refusal, scene.dose_refusal, scene.contour_refusal, scene.compared_refusal)
    for i, refusal in enumerate(refusals):
        if refusal:
            texts = f"Not shown: {refusal}", refusal, "not registered"
            lines.append(Fact(f"refusal {i}", "top left", texts, "caution", must=True))
    if not complete and (scene.drawn or scene.overlay is not None):
        lines.append(Fact("late", "top left", ("preparing contours…", "preparing…"), "muted", must=True))
    if scene.overlay is not None:
        lines.append(Fact("overlay", "top left", overlay_texts(scene), must=True))
    if scene.dose is not None:
        lines.append(Fact("dose", "top left", dose_texts(scene.dose), must=True))
    if scene.against is not None:
        other = scene.against.dose.title
        lines.append(Fact("against", "top left", (f"dashed: dose {other}", f"dashed: {other}"), "muted", must=True))
    if scene.map is not None:
        shown = scene.map.map
        lines.append(Fact("map", "top left", (f"{shown.title} {shown.unit}".strip(), shown.title), "accent", must=True))
    if any(layer is not None and not layer.image.complete for layer in (scene.base, scene.overlay)):
        lines.append(Fact("reading", "top left", ("reading…",), "muted"))
    west, east, north, south = port.letters
    lines += [
        Fact("left", "left", (west,), "accent"),
        Fact("right", "right", (east,), "accent"),
        Fact("top", "top", (north,), "accent"),
        Fact("bottom", "bottom", (south,), "accent"),
        Fact("window", "bottom left", (window_text(scene.base),)),
    ]
    if pointed:
        lines.append(Fact("pointed", "bottom right", (pointed, pointed.split("  ")[0])))
    if abs(zoom - 1) > 0.005:
        lines.append(Fact("zoom", "bottom right", (f"zoom {zoom:.1f}×",), "muted"))
    return tuple(lines)


def scale_bar(mm_per_pixel: float, room: float) -> tuple[float, str]:
    """Length in pixels and label of a scale bar that takes up to `room` pixels."""
    fitting = [cm for cm in SCALE_BAR_CM if cm * 10 / mm_per_pixel <= room]
    cm = fitting[-1] if fitting else SCALE_BAR_CM[0]
    return cm * 10 / mm_per_pixel, f"{cm:g} cm"


class Room:
    """The space in a view that is still free."""

    def __init__(self, size: tuple[float, float]) -> None:
        self.size = size
        self.taken: list[Box] = []

    def free(self, box: Box, apart: float = EDGE) -> bool:
        """Whether a box is within the view and touches no other but above or below. apart: pixels to those beside it."""
        x, y, w, h = box
        if x < 0 or y < 0 or x + w > self.size[0] or y + h > self.size[1]:
            return False
        return all(x + w + apart <= a or a + c + apart <= x or y + h <= b or b + d <= y for a, b, c, d in self.taken)

    def take(self, box: Box, apart: float = EDGE) -> bool:
        """Occupy a box; False where something is there already."""
        if not self.free(box, apart):
            return False
        self.taken.append(box)
        return True


def placed(facts: Sequence[Fact], room: Room, width: Callable[[str], float], line: float) -> list[Placed]:
    """Where each fact goes; those for which no room is left are missing. line: height of a line in pixels."""
    result: list[Placed] = []
    next_row: dict[Corner, int] = {}
    for fact in facts:
        texts = fact.texts
        if fact.must:
            texts = (*texts, cut_short(texts[-1], room.size[0] - 2 * EDGE, width))
        first = next_row.get(fact.corner, 0)
        asides, apart = (ASIDE, LETTER_APART) if fact.corner in ("top", "bottom") else (ASIDE[:1], EDGE)
        for row, aside, text in product(range(first, first + ROWS_TRIED), asides, texts):
            x, *rest = _box(fact.corner, width(text), line, *room.size, row)
            box = (x + aside, *rest)
            if text and room.take(box, apart):
                result.append(Placed(fact, text, box))
                next_row[fact.corner] = row + 1
                break
    return result


def cut_short(text: str, room: float, width: Callable[[str], float]) -> str:
    """The text, ended with … where it is too long."""
    if width(text) <= room:
        return text
    while text and width(text + "…") > room:
        text = text[:-1]
    return text + "…" if text else ""


def _box(corner: Corner, size: float, line: float, w: float, h: float, row: int) -> Box:
    """Where a text of a width goes: lines of a corner are stacked away from the border, the sides' letters stand in their middle."""
    if corner in ("left", "right"):
        return (EDGE if corner == "left" else w - EDGE - size), (h - line) / 2 + row * line, size, line
    x = {"top left": EDGE, "bottom left": EDGE, "bottom right": w - EDGE - size}.get(corner, (w - size) / 2)
    if corner in ("top left", "top"):
        return x, EDGE + row * line, size, line
    return x, h - EDGE - (row + 1) * line, size, line
