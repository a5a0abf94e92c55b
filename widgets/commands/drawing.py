"""`Drawing`: the tool in hand, its settings and the stroke that it makes. Views bring the hand's places, panels show and change the settings."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any, Protocol

import numpy as np
import shapely
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal

from reviewer.case import Structure
from reviewer.changes import HistoryChanged
from reviewer.edit.refusal import refusal
from reviewer.edit.tools.setting import Setting, settings_of
from reviewer.edit.tools.tool import Draft, Guide, Pane, Pen, Stroke, Target, Tool, drafted, edit_if_lifted, edit_of
from reviewer.errors import CancelledError, ReviewerError
from reviewer.scene import default_window
from reviewer.session import Session

from ..actions import NOTHING_OPEN, Command, SessionCommands
from ..binding import Changes, follow
from ..jobs import Jobs, Progress
from ..loading import load
from .tool_kinds import KINDS, Kind

STROKE = "stroke"
"""Key of the job that works a slow stroke out."""

RANGE = {"low", "high"}
"""Settings of a tool that goes by a range of values."""

TICK_MS = 10
REST_TICKS = 3
"""A hand that does not move while the window idles for so many ticks on end rests: mostly it is about to end the stroke. A tick that comes late
does not count, for a window that is still at work on the last move has more of them to come, and work beside it would only slow them down."""

ABOUT_MM = 5.0
"""So far about the crosshair the values are looked at that a range begins with, where nothing is drawn yet."""


class Easel(Protocol):
    """A view that is drawn in."""

    @property
    def pane(self) -> Pane | None:
        """The plane that it shows; None without an image."""

    def scroll(self, slices: int) -> None:
        """Go so many slices further."""


class Proposal(Protocol):
    """Something open that Enter takes and Esc drops, where no stroke is."""

    def accept(self) -> bool:
        """False where nothing is open."""

    def cancel(self) -> bool:
        """False where nothing is open."""


class Drawing(QObject):
    """One tool, one stroke. tell: shows a passing sentence; warn: shows one that must be read.

    changed: another tool or other settings. moved: the stroke or its guides look different.
    resting: the hand rests in a stroke; emits the edit that this would become if it ended here.
    """

    changed = Signal()
    moved = Signal()
    resting = Signal(object)

    def __init__(
        self,
        session: Session,
        jobs: Jobs,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._jobs, self._tell, self._warn = session, jobs, tell, warn
        self.kind: Kind | None = None
        self._tools: dict[str, Tool] = {}
        self.within: str | None = None
        self.outside: str | None = None
        self.values: tuple[float, float] | None = None
        self._ranged = False
        self.operating: Proposal | None = None
        self._working = False
        self._easels: tuple[Easel, ...] = ()
        self._ticks, self._ticked_s = 0, 0.0
        self._idle = QTimer(self)
        self._idle.setTimerType(Qt.TimerType.PreciseTimer)
        self._idle.setInterval(TICK_MS)
        self._idle.timeout.connect(self._tick)
        self._left: tuple[Easel | None, Pen | None] = None, None
        self._drop()
        follow(self, session, self._heard)

    # -- the tool and its settings --------------------------------------------------------------------------------------

    def take(self, name: str | None) -> None:
        """Into the hand, in place of the one before; None: none."""
        kind = next((k for k in KINDS if k.name == name), None)
        if kind is self.kind:
            return
        left = self._stroke if self.open else None
        self.cancel()
        self.kind = kind
        self._begin_range()
        self.changed.emit()
        if left is not None:
            self._tell(f"The {left.label.lower()} on {left.target.structure.name} was not finished, and is dropped")

    def at(self, *easels: Easel) -> None:
        """The views, among them the one that shows the slices of the active structure."""
        self._easels = easels

    @property
    def plane(self) -> int | None:
        """The slice of the active structure that is shown; None where no view lies along its slices."""
        found = self._along()
        return None if found is None else found[1]

    def scroll(self, slices: int) -> None:
        """The view along the slices of the active structure, so many slices further, as Page Up and Down do."""
        found = self._along()
        if found is not None:
            found[0].scroll(slices)

    def _along(self) -> tuple[Easel, int] | None:
        for easel in self._easels:
            pane, active = easel.pane, self.active
            if pane is None or active is None:
                continue
            with suppress(ReviewerError):
                plane = self._target(active, pane).plane
                if plane is not None:
                    return easel, plane
        return None

    @property
    def tool(self) -> Tool | None:
        """The tool in hand with its settings."""
        if self.kind is None:
            return None
        if self.kind.name not in self._tools:
            maker = getattr(load(f"reviewer.edit.tools.{self.kind.module}"), self.kind.maker)
            self._tools[self.kind.name] = maker(**self.kind.fixed)
        return self._tools[self.kind.name]

    def _begin_range(self) -> None:
        """A tool with a range of values begins with that of the active structure, each time until a hand has set another."""
        tool: Any = self.tool
        if self.kind is None or self._ranged or not all(hasattr(tool, name) for name in RANGE):
            return
        seen = self.typical_range()
        if seen is not None:
            self._tools[self.kind.name] = replace(tool, low=seen[0], high=seen[1])

    def typical_range(self) -> tuple[float, float] | None:
        """The values to begin with: those that the image shown has in the active structure, in an empty one about the crosshair;
        where that is not known those that the grey window spans."""
        case, view, active = self._session.case, self._session.view, self.active
        image = case.image(view.base)
        if image is None or active is None:
            return window_range(self._session)
        regions, grid = active.planes, active.grid
        found = None
        with suppress(ReviewerError):
            frame = image.grid.frame_of_reference_uid
            to_image = case.transform(grid.frame_of_reference_uid, frame)
            if not regions:
                u, v, w = grid.uvw_mm((np.linalg.inv(to_image) @ [*view.point_mm, 1.0])[:3]).tolist()
                regions = {grid.nearest_plane(w): shapely.Point(u, v).buffer(ABOUT_MM)}
            found = load("reviewer.edit.operations.threshold").typical_range(image, to_image, grid, regions)
        return found or window_range(self._session)

    @property
    def settings(self) -> dict[str, Setting]:
        """Of the tool in hand, by field name, without those that make it what it is."""
        tool, kind = self.tool, self.kind
        return (
            {} if tool is None or kind is None else {n: s for n, s in settings_of(tool).items() if n not in kind.fixed}
        )

    def set(self, **values: Any) -> None:
        """Change settings of the tool in hand; a value out of range is told and not taken."""
        tool, kind = self.tool, self.kind
        if tool is None or kind is None or all(getattr(tool, n) == v for n, v in values.items()):
            return
        self._ranged = self._ranged or not RANGE.isdisjoint(values)
        try:
            self._tools[kind.name] = replace(tool, **values)  # type: ignore[type-var]
        except ReviewerError as error:
            self._tell(str(error))
            return
        self.changed.emit()
        self._renew()

    def limit(
        self, within: str | None = None, outside: str | None = None, values: tuple[float, float] | None = None
    ) -> None:
        """Where strokes may change anything: ids of structures, and a range of values of the image shown."""
        if (within, outside, values) != (self.within, self.outside, self.values):
            self.within, self.outside, self.values = within, outside, values
            if self._begun:
                self._tell("The limits hold from the next stroke on")
            self.changed.emit()
            self._renew()

    @property
    def size(self) -> str | None:
        """The field of the tool's settings that is its size in mm."""
        return next((n for n, s in self.settings.items() if s.unit == "mm" and n.startswith("radius")), None)

    def resize(self, steps: int) -> None:
        """Larger or smaller, by about an eighth and at least half a millimetre for each step."""
        name, tool = self.size, self.tool
        if name is None or tool is None or self._held:
            return
        about = self.settings[name]
        value = getattr(tool, name)
        for _ in range(abs(steps)):
            by = max(about.step or 0.5, value / 8)
            value += math.copysign(by, steps)
        value = round(value * 2) / 2
        least, most = about.least if about.least is not None else 0.5, about.most or 100.0
        self.set(**{name: min(max(value, least), most)})

    # -- the stroke -----------------------------------------------------------------------------------------------------

    @property
    def active(self) -> Structure | None:
        """The structure that a stroke would change."""
        return self._session.active

    @property
    def refused(self) -> str:
        """Why nothing can be drawn, in one sentence; empty where something can."""
        if self.active is None:
            return "No structure is active: click one in the list, press Q over one, or make a new one with Ctrl+N"
        return refusal(self._session.case, self.active) or self._refused

    @property
    def held(self) -> bool:
        """Whether a button is down."""
        return self._held

    @property
    def pending(self) -> bool:
        """Whether a stroke has begun, or a proposal stands, that Enter takes and Esc drops."""
        return self._begun or bool(self._draft)

    @property
    def open(self) -> bool:
        """Whether a stroke waits for its next corner, Enter or Esc."""
        return self._begun and self._stroke is not None and self._stroke.open

    @property
    def working(self) -> bool:
        """Whether a finished stroke is being worked out beside the window; Esc stops it."""
        return self._working

    @property
    def erasing(self) -> bool:
        return self._stroke is not None and self._stroke.erasing

    def in_hand_of(self, easel: Easel) -> bool:
        """Whether the hand is, or was last, in this view."""
        return easel is self._easel

    def guides(self, easel: Easel) -> tuple[Guide, ...]:
        """What is to be drawn over a view besides the contours."""
        here = easel is self._easel and (self._held or not self._off_slice)
        return self._stroke.guides if self._stroke is not None and here else ()

    @property
    def _off_slice(self) -> bool:
        """Whether the view that was drawn in shows another slice by now than the one that the stroke lies on."""
        return self._stroke is not None and self._easel is not None and self._easel.pane != self._stroke.target.pane

    def hover(self, easel: Easel, pen: Pen) -> None:
        elsewhere = easel is not self._easel or self._off_slice
        if self.kind is None or self._held or self._working or (self._begun and elsewhere):
            return
        self._pen = pen
        self._ready(easel)
        if self._stroke is not None:
            self._stroke.hover(pen)
        self._show()

    def leave(self, easel: Easel) -> None:
        """The hand has left a view."""
        if easel is self._easel and not self._begun and not self._held and not self._draft:
            self._drop()
            self.moved.emit()

    def press(self, easel: Easel, pen: Pen) -> None:
        """Begin to draw, or go on; says why not."""
        if self._working:
            self._tell("The stroke before is still being worked out: Esc drops it")
            return
        if self._begun and easel is not self._easel:
            self._tell("Finish the stroke first: Enter takes it, Esc drops it")
            return
        if self._begun and self._off_slice:
            self._tell("The stroke lies on another slice: go back to it, Enter takes it, Esc drops it")
            return
        self._pen = pen
        revealed = self.reveal()
        self._ready(easel)
        if self._stroke is None:
            # Beside the cursor and in the panel, with its way out, it stands too: a strip that comes would move the picture under the hand.
            self._tell(self.refused)
            return
        if not self._begun and self.active is not None:
            self._session.stroke_begun(f"a stroke on {self.active.name}")
        self._held = self._begun = True
        self._stroke.press(pen)
        self._show()
        if revealed:
            self._tell(revealed)  # what the stroke has to say it says again as it goes on

    def reveal(self) -> str:
        """Show the active structure where it is hidden, and say so: nothing is changed unseen."""
        active = self.active
        if active is None or active.id not in self._session.view.hidden:
            return ""
        self._session.look(hidden=self._session.view.hidden - {active.id})
        revealed = f"{active.name} was hidden: it is shown now"
        self._tell(revealed)
        return revealed

    def drag(self, pen: Pen) -> None:
        if self._held and self._stroke is not None:
            self._pen = pen
            self._stroke.drag(pen)
            self._show()
            self._ticks, self._ticked_s = 0, time.perf_counter()
            self._idle.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        on_time, self._ticked_s = now - self._ticked_s < 2 * TICK_MS / 1000, now
        self._ticks = self._ticks + 1 if on_time else 0
        if not self._held or self._ticks == REST_TICKS:
            self._idle.stop()
            self._rests()

    def _rests(self) -> None:
        if self._held and self._stroke is not None and not self._stroke.slow:
            with suppress(ReviewerError):  # it is told when the stroke ends
                edit = edit_if_lifted(self._stroke, self._session.case)
                if edit is not None:
                    self.resting.emit(edit)

    def release(self, pen: Pen) -> None:
        if self._held and self._stroke is not None:
            self._pen, self._held = pen, False
            self._stroke.release(pen)
            self._settle()

    def accept(self) -> None:
        """Enter, or a double click."""
        if self._held or self._working or (not self.pending and self.operating is not None and self.operating.accept()):
            return
        if self._stroke is not None:
            self._stroke.accept()
            self._settle()

    def step_back(self) -> None:
        """Backspace."""
        if self._stroke is not None and not self._held and not self._working:
            self._stroke.step_back()
            self._wait_for_more()

    def take_back(self) -> bool:
        """What Undo means in the midst of a stroke: its last step, not the edit before it; False where there is none."""
        if self._held:
            return self.cancel()
        open_before = self.open
        if open_before:
            self.step_back()
        return open_before

    def escape(self) -> bool:
        """Esc: throw the stroke away, else drop the operation that is open; False where there is neither."""
        return self.cancel() or (self.operating is not None and self.operating.cancel())

    def cancel(self) -> bool:
        """Throw the stroke away; False where there was none."""
        was = self.pending or self._held
        self._drop()
        self._session.stroke_ended()
        self.moved.emit()
        return was

    def _drop(self) -> None:
        self._stroke: Stroke | None = None
        self._key: tuple[Any, ...] = ()
        self._easel: Easel | None = None
        self._pen: Pen | None = None
        self._held = self._begun = False
        self._stop_work()
        self._refused = ""
        self._draft: Draft = {}
        if self._session.view.stroke is not None:
            self._session.look(stroke=None)

    def _ready(self, easel: Easel) -> None:
        """A stroke for where the hand is now: the one that is there, while it fits."""
        if self._begun:
            return
        pane, active, tool = easel.pane, self.active, self.tool
        if pane is None or active is None or tool is None:
            self._stroke, self._key, self._easel = None, (), easel
            return
        tool, image = self._as_seen(tool), self._session.case.image(self._session.view.base)
        # Limits and image themselves, not what they are called: an undo changes the one, another series the other.
        limits = self._limit(self.within, active), self._limit(self.outside, active), self.values
        key = (active, tool, limits, image, easel, pane)
        if key == self._key:
            return
        self._stroke, self._refused = None, ""
        try:
            self._stroke = tool.begin(self._target(active, pane))
        except ReviewerError as error:
            self._refused = str(error)
        self._key, self._easel = key, easel

    def _as_seen(self, tool: Any) -> Tool:
        """With the grey window of the picture, for a tool that goes by what the eye sees."""
        base = self._session.scene.base
        if base is None or not any(f.name == "window" for f in fields(tool)):
            return tool  # type: ignore[no-any-return]
        return replace(tool, window=base.window)  # type: ignore[no-any-return]

    def _target(self, active: Structure, pane: Pane) -> Target:
        case, view = self._session.case, self._session.view
        return Target.on(
            case,
            active,
            pane,
            image=case.image(view.base),
            within=self._limit(self.within, active),
            outside=self._limit(self.outside, active),
            values=self.values,
        )

    def _limit(self, structure_id: str | None, active: Structure) -> tuple[Structure, ...]:
        """The structure that limits strokes on the active one, if there is one."""
        found = self._session.case.structure(structure_id)
        return (found,) if found is not None and found is not active else ()

    def _renew(self) -> None:
        """The settings or the structure are others: the stroke that has not begun is another."""
        if self._held or self._easel is None or self.kind is None:
            return
        if self._begun:
            return
        easel, pen = self._easel, self._pen
        self._key = ()
        self._ready(easel)
        if self._stroke is not None and pen is not None:
            self._stroke.hover(pen)
        self._show()

    def _show(self) -> None:
        """The draft into the views, and nothing else."""
        draft = self._stroke.draft if self._stroke is not None else {}
        if draft is not self._draft:
            self._draft = draft
            shown = drafted(self._stroke) if self._stroke is not None and draft else None
            if shown is not None or self._session.view.stroke is not None:
                self._session.look(stroke=shown)
        if self._held and self._stroke is not None:
            self._say(self._stroke.note)
        self.moved.emit()

    def _settle(self) -> None:
        """After a release: what is finished is worked out, beside the window where that takes long, and applied."""
        stroke = self._stroke
        if stroke is None:
            return
        if not stroke.finished:
            self._say(stroke.note)
            self._wait_for_more()
        elif stroke.slow:
            self._work(stroke)
        else:
            self._apply(stroke)

    def _wait_for_more(self) -> None:
        """With what is drawn so far; where that is nothing, as after a click beside every grip, no stroke has begun."""
        self._begun = self.open
        if not self._begun:
            self._session.stroke_ended()
        self._show()

    def _work(self, stroke: Stroke) -> None:
        self._working = True

        def work(progress: Progress) -> None:
            def report(share: float) -> None:
                if progress.cancelled():
                    raise CancelledError
                progress.report(share)

            stroke.work(report)

        def failed(error: Exception) -> None:
            self._jobs.failed.emit(stroke.label, error)
            self.cancel()

        name = stroke.target.structure.name
        self._jobs.run(f"{stroke.label} on {name}", work, lambda _: self._apply(stroke), failed, key=STROKE)
        self.moved.emit()

    def _apply(self, stroke: Stroke) -> None:
        """The finished stroke into the case; and another one begins where the hand is."""
        easel, pen = self._easel, self._pen
        try:
            edit = edit_of(stroke, self._session.case)
            self._say(stroke.note)  # what a stroke has to say may come of its draft
            if edit is not None:
                self._session.apply(edit)
        except ReviewerError as error:
            self._warn(str(error))
        self._session.stroke_ended()
        self._drop()
        self._left = easel, pen
        QCoreApplication.postEvent(self, QEvent(QEvent.Type.User))  # behind the numbers, before the pictures

    def customEvent(self, _: QEvent) -> None:
        """Another stroke begins where the hand was when one ended."""
        easel, pen = self._left
        if easel is not None and pen is not None and self._pen is None:
            self.hover(easel, pen)
        else:
            self.moved.emit()

    def _stop_work(self) -> None:
        if self._working:
            self._working = False
            self._jobs.cancel(STROKE)

    def _say(self, note: str) -> None:
        if note:
            self._tell(note[:1].upper() + note[1:])

    def _heard(self, changes: Changes) -> None:
        if changes.opened:
            self.within = self.outside = self.values = None
            self._ranged = False
            self.take(None)
            self.changed.emit()
            return
        if changes.edited or changes.view("structure_set"):
            self._keep_limits_in_sight()
        if changes.view("mode") and self._session.view.mode != "contour":
            self.take(None)
        elif self._stroke is not None and self._stroke.target.structure is not self.active:
            # Undone, or another structure: what was drawn belongs to a state that is gone.
            if self._begun:
                self._given_up("it has changed meanwhile, or another one is active")
            self._begun = self._held = False
            self._stop_work()
            self._renew()
        elif self._working and changes.any(HistoryChanged) and self._session.history.redo_label is not None:
            self._given_up("the history went back, and what was undone would be lost with it")
            self.cancel()
        elif self._held and self._off_slice:
            self._given_up("the view shows another slice")
            self.cancel()
        elif self._easel is not None and self._pen is not None and changes.view("point_mm", "base"):
            self.hover(self._easel, self._pen)

    def _keep_limits_in_sight(self) -> None:
        """A limit that the set shown does not hold, or not any more, could neither be seen nor be taken away."""
        group = self._session.structure_set
        there = {s.id for s in group.structures} if group else set()
        within, outside = (name if name in there else None for name in (self.within, self.outside))
        if (within, outside) != (self.within, self.outside):
            self.limit(within, outside, self.values)
            self._warn("Strokes are not limited any more: the structure that limited them is not in the set shown")

    def _given_up(self, why: str) -> None:
        if self._stroke is not None:
            self._tell(f"The stroke on {self._stroke.target.structure.name} was given up: {why}")
            self._session.stroke_ended()


def window_range(session: Session) -> tuple[float, float] | None:
    """The values that the grey window of the base image spans, to begin with; whole numbers where they are large."""
    base = session.case.image(session.view.base)
    if base is None:
        return None
    window = session.view.windows.get(base.id) or default_window(base)
    return window.level - window.width / 2, window.level + window.width / 2


def drawing_commands(session: Session, drawing: Drawing, others: SessionCommands) -> Iterator[Command]:
    """One for each tool, and the brackets, which change the size of the tool in hand, else the share of the overlay."""

    def refused() -> str:
        if not session.view.base:
            return NOTHING_OPEN
        return "" if session.view.mode == "contour" else "choose the mode Contour to draw"

    for kind in KINDS:
        yield Command(
            f"draw.{kind.name}",
            kind.text,
            "Contouring",
            lambda kind=kind: drawing.take(None if drawing.kind is kind else kind.name),  # type: ignore[misc]
            kind.keys,
            f"{kind.tip}\n{kind.hint}",
            refusal=refused,
            checked=lambda kind=kind: drawing.kind is kind,  # type: ignore[misc]
            icon=kind.icon,
        )
    for name, text, key, by in (
        ("smaller", "Smaller tool; without one, less overlay", "[", -1),
        ("larger", "Larger tool; without one, more overlay", "]", 1),
    ):
        yield Command(
            f"draw.{name}",
            text,
            "Contouring",
            lambda by=by: drawing.resize(by) if drawing.size else others.blend(0.1 * by),  # type: ignore[misc]
            key,
            refusal=lambda: "" if drawing.size else others.no_overlay(),
        )
