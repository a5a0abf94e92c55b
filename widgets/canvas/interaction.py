"""What a hand does on a slice: press, drag, release. A state machine without a widget; millimetres and pixels in, wishes out.

A `Hand` is one such gesture (pan, zoom, a distance, later a brush stroke). `Interaction` lets the first `Rule` that fits a press begin its
hand, feeds it until the release, and lets Esc or a lost mouse undo it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, hypot
from typing import Literal, Protocol

from reviewer.scene import Point

from .viewport import Pair

Button = Literal["left", "middle", "right"]
Key = Literal["shift", "ctrl", "alt", "space"]
Tool = Literal["point", "window", "distance", "draw"]

EDGE_PIXELS = 6.0
"""How near the pointer has to come to an edge to grip it."""

WINDOW_PIXELS = 250.0
"""A drag of so many pixels doubles the window's width, or moves the level by it."""

ZOOM_PIXELS = 200.0
"""A drag of so many pixels zooms by e."""


@dataclass(frozen=True)
class Touch:
    """Where the pointer is. pixel: logical pixels in the view; plane_mm: plane coordinates; point_mm: patient point on the slice."""

    pixel: Pair
    plane_mm: Pair
    point_mm: Point
    button: Button | None = None
    keys: frozenset[Key] = frozenset()


class Hand(Protocol):
    """A gesture between press and release. `cancel` puts everything back."""

    def press(self, touch: Touch) -> None: ...

    def drag(self, touch: Touch) -> None: ...

    def release(self, touch: Touch) -> None: ...

    def cancel(self) -> None: ...


@dataclass(frozen=True)
class Rule:
    """Which presses a hand answers to."""

    fits: Callable[[Touch], bool]
    hand: Callable[[], Hand]


class Interaction:
    """Idle, or holding one hand. A second button pressed meanwhile is ignored."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._held: tuple[Hand, Button | None] | None = None

    @property
    def held(self) -> Hand | None:
        return self._held[0] if self._held else None

    def press(self, touch: Touch) -> bool:
        """Begin the hand that the press asks for; False where none answers or one is held."""
        if self._held is not None:
            return False
        rule = next((r for r in self._rules if r.fits(touch)), None)
        if rule is None:
            return False
        hand = rule.hand()
        self._held = hand, touch.button
        hand.press(touch)
        return True

    def move(self, touch: Touch) -> bool:
        """Drag what is held; False where nothing is."""
        if self._held is None:
            return False
        self._held[0].drag(touch)
        return True

    def release(self, touch: Touch) -> bool:
        if self._held is None or touch.button != self._held[1]:
            return False
        (hand, _), self._held = self._held, None
        hand.release(touch)
        return True

    def cancel(self) -> bool:
        if self._held is None:
            return False
        (hand, _), self._held = self._held, None
        hand.cancel()
        return True


class Desk(Protocol):
    """What the hands of this module move; the slice view is one."""

    @property
    def camera(self) -> tuple[float, Pair]:
        """mm per pixel, and plane coordinates in the middle of the view."""

    @camera.setter
    def camera(self, value: tuple[float, Pair]) -> None: ...

    def level_and_width(self, overlay: bool) -> Pair | None:
        """Level and width of the base image or of the overlay."""

    def set_window(self, overlay: bool, level: float, width: float) -> None: ...

    def point_to(self, point_mm: Point) -> None: ...

    def swipe_to(self, pixel_x: float) -> None: ...


@dataclass
class Pan:
    """The picture follows the pointer."""

    desk: Desk
    _start: Touch | None = None
    _before: tuple[float, Pair] = (1.0, (0.0, 0.0))

    def press(self, touch: Touch) -> None:
        self._start, self._before = touch, self.desk.camera

    def drag(self, touch: Touch) -> None:
        assert self._start is not None
        scale, middle = self._before
        dx, dy = (touch.pixel[i] - self._start.pixel[i] for i in (0, 1))
        self.desk.camera = scale, (middle[0] - dx * scale, middle[1] - dy * scale)

    def release(self, touch: Touch) -> None:
        self.drag(touch)

    def cancel(self) -> None:
        self.desk.camera = self._before


@dataclass
class Zoom:
    """Up enlarges, down shrinks, about the point where the button went down."""

    desk: Desk
    _start: Touch | None = None
    _before: tuple[float, Pair] = (1.0, (0.0, 0.0))

    def press(self, touch: Touch) -> None:
        self._start, self._before = touch, self.desk.camera

    def drag(self, touch: Touch) -> None:
        assert self._start is not None
        factor = exp((self._start.pixel[1] - touch.pixel[1]) / ZOOM_PIXELS)
        self.desk.camera = zoomed(self._before, factor, self._start.plane_mm)

    def release(self, touch: Touch) -> None:
        self.drag(touch)

    def cancel(self) -> None:
        self.desk.camera = self._before


def zoomed(camera: tuple[float, Pair], factor: float, fixed_mm: Pair) -> tuple[float, Pair]:
    """The camera that enlarges by a factor and leaves a point of the plane where it is on the screen."""
    scale, middle = camera
    after = min(max(scale / factor, 0.01), 20.0)
    share = after / scale
    return after, (
        fixed_mm[0] + (middle[0] - fixed_mm[0]) * share,
        fixed_mm[1] + (middle[1] - fixed_mm[1]) * share,
    )


@dataclass
class WindowLevel:
    """To the right widens, upwards brightens. With Shift the overlay's window instead of the base's."""

    desk: Desk
    _start: Touch | None = None
    _before: Pair | None = None
    _overlay: bool = False

    def press(self, touch: Touch) -> None:
        self._start, self._overlay = touch, "shift" in touch.keys
        self._before = self.desk.level_and_width(self._overlay)

    def drag(self, touch: Touch) -> None:
        if self._start is None or self._before is None:
            return
        level, width = self._before
        dx, dy = (touch.pixel[i] - self._start.pixel[i] for i in (0, 1))
        self.desk.set_window(
            self._overlay, level + dy * width / WINDOW_PIXELS, max(width * (1 + dx / WINDOW_PIXELS), width * 0.01, 1e-3)
        )

    def release(self, touch: Touch) -> None:
        self.drag(touch)

    def cancel(self) -> None:
        if self._before is not None:
            self.desk.set_window(self._overlay, *self._before)


@dataclass
class Pointing:
    """The crosshair goes where the pointer is."""

    desk: Desk
    before: Point

    def press(self, touch: Touch) -> None:
        self.desk.point_to(touch.point_mm)

    def drag(self, touch: Touch) -> None:
        self.desk.point_to(touch.point_mm)

    def release(self, touch: Touch) -> None:
        pass

    def cancel(self) -> None:
        self.desk.point_to(self.before)


@dataclass
class Swipe:
    """The edge between base and overlay follows the pointer."""

    desk: Desk
    _start: float = 0.0

    def press(self, touch: Touch) -> None:
        self._start = touch.pixel[0]

    def drag(self, touch: Touch) -> None:
        self.desk.swipe_to(touch.pixel[0])

    def release(self, touch: Touch) -> None:
        self.drag(touch)

    def cancel(self) -> None:
        self.desk.swipe_to(self._start)


@dataclass(frozen=True)
class Distance:
    """A straight line between two patient points, mm."""

    start_mm: Point
    end_mm: Point

    @property
    def length_mm(self) -> float:
        return hypot(*(b - a for a, b in zip(self.start_mm, self.end_mm, strict=True)))


@dataclass
class Ruler:
    """The distances of one view: those that were drawn, and the one that is being drawn."""

    drawn: list[Distance] = field(default_factory=list)
    growing: Distance | None = None

    def clear(self) -> bool:
        """Take all away; False where there was none."""
        had = bool(self.drawn or self.growing)
        self.drawn, self.growing = [], None
        return had

    @property
    def shown(self) -> tuple[Distance, ...]:
        return (*self.drawn, self.growing) if self.growing else tuple(self.drawn)


@dataclass
class Measuring:
    """Draws a distance from where the button goes down to where it is let go; a click without a drag draws none."""

    ruler: Ruler
    _start: Touch | None = None

    def press(self, touch: Touch) -> None:
        self._start = touch

    def drag(self, touch: Touch) -> None:
        assert self._start is not None
        self.ruler.growing = Distance(self._start.point_mm, touch.point_mm)

    def release(self, touch: Touch) -> None:
        self.drag(touch)
        assert self._start is not None
        assert self.ruler.growing is not None
        if hypot(*(touch.pixel[i] - self._start.pixel[i] for i in (0, 1))) >= 3:
            self.ruler.drawn.append(self.ruler.growing)
        self.ruler.growing = None

    def cancel(self) -> None:
        self.ruler.growing = None
