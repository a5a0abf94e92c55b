"""Every command of the program: its name, its key, why it can't be used now. Menus, tooltips, the palette and the key map are made of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from reviewer.case import Structure, Window
from reviewer.changes import ViewChanged
from reviewer.errors import NotRegisteredError
from reviewer.navigate import Direction, middle_of, next_contour
from reviewer.scene import OverlayStyle, default_window
from reviewer.session import Session

from .binding import Changes, follow
from .theme import icon
from .windows import preset

NOTHING_OPEN = "no case with an image is open"

_NO_COMMAND_ASKS = frozenset(
    {"point_mm", "cameras", "windows", "highlighted", "swipe", "blend", "wash_opacity", "preview", "stroke"}
)
"""Fields of the view that change with every turn of the wheel and that no refusal depends on."""


@dataclass(frozen=True)
class Command:
    """keys: as QKeySequence reads them, separated by "; ", empty for none.
    refusal: why not now, empty when it can be used. checked: for commands that switch.
    """

    name: str
    text: str
    section: str
    does: Callable[[], None]
    keys: str = ""
    tip: str = ""
    refusal: Callable[[], str] = lambda: ""
    checked: Callable[[], bool] | None = None
    icon: str = ""


@dataclass(frozen=True)
class Gesture:
    """What a hand does that is not a command: the views listen to it themselves."""

    hand: str
    does: str


GESTURES = (
    Gesture("Wheel, Page Up / Down, ↑ ↓", "scroll slices"),
    Gesture("Ctrl+wheel, right-drag up / down", "zoom"),
    Gesture("Middle-drag, Space+drag", "pan"),
    Gesture("Alt+drag", "window / level of the base image"),
    Gesture("Double click on W / L in the picture", "type the window"),
    Gesture("Shift+move", "crosshair follows in all views"),
    Gesture("Double click", "one view alone, and back"),
    Gesture("Home / End", "first / last slice"),
    Gesture("Shift+wheel, [ ]", "size of the drawing tool"),
    Gesture("Shift while drawing", "the other way round: erase for draw, draw for erase"),
    Gesture("Enter, double click", "take a polygon, a proposal"),
    Gesture("Backspace", "take back the last corner"),
    Gesture("R", "fit this view"),
    Gesture("Esc", "drop the stroke or gesture, the distances, the tool"),
)


VIEW_KEYS = frozenset(
    {"Up", "Down", "PgUp", "PgDown", "Home", "End", "R", "Space", "Esc", "Return", "Enter", "Backspace"}
)
"""Keys that the views listen to themselves; no command may take one."""


class Actions(QObject):
    """The registry. Actions belong to a window, so that their keys work anywhere in it; `scope` narrows that to a widget and its children.

    refused: emits what was asked for by its key or in the palette, and why it can't be done now.
    """

    refused = Signal(str)

    def __init__(self, window: QWidget, session: Session) -> None:
        super().__init__(window)
        self._window = window
        self._actions: dict[str, tuple[Command, QAction]] = {}
        self._alike: dict[Callable[[], str], list[str]] = {}
        """What says why not now, and the commands that it is asked for."""
        self._answers: dict[Callable[[], str], str] = {}
        self._switches: list[tuple[Callable[[], bool], QAction]] = []
        self._instead: dict[str, QShortcut] = {}
        follow(self, session, self._heard)

    def add(self, command: Command, *scopes: QWidget) -> QAction:
        """Register a command; whether it can be used is asked at the next `refresh`, when the window stands."""
        if command.name in self._actions:
            raise ValueError(f"two commands are called {command.name}")
        action = QAction(command.text, self)
        action.setObjectName(command.name)
        if command.keys:
            action.setShortcuts(QKeySequence.listFromString(command.keys))
        action.setCheckable(command.checked is not None)
        action.triggered.connect(lambda: self.trigger(command.name))
        if scopes:
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        for widget in scopes or (self._window,):
            widget.addAction(action)
        action.setToolTip(tooltip(command))
        if command.checked is not None:
            self._switches.append((command.checked, action))
        self._alike.setdefault(command.refusal, []).append(command.name)
        self._answers.pop(command.refusal, None)
        self._actions[command.name] = (command, action)
        return action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name][1]

    def __iter__(self) -> Iterator[Command]:
        return iter(command for command, _ in self._actions.values())

    def trigger(self, name: str) -> None:
        """Do it, or say why it can't be done now."""
        command, _ = self._actions[name]
        refusal = command.refusal()
        if refusal:
            self.refused.emit(f"{plain(command)}: {refusal}")
        else:
            command.does()
        self.refresh()

    def refresh(self) -> None:
        """Ask every command anew whether it can be used and is switched on; those that are refused alike are asked once."""
        for ask, alike in self._alike.items():
            answer = ask()
            if answer != self._answers.get(ask):  # asked after each stroke: what has not changed is left alone
                self._answers[ask] = answer
                for name in alike:
                    self._refuse(*self._actions[name], answer)
        for checked, action in self._switches:
            if (on := checked()) != action.isChecked():
                action.setChecked(on)

    def draw_icons(self) -> None:
        """In the colours of the theme in force."""
        for command, action in self._actions.values():
            if command.icon:
                action.setIcon(icon(command.icon))

    def _heard(self, changes: Changes) -> None:
        if not all(isinstance(m, ViewChanged) and m.fields <= _NO_COMMAND_ASKS for m in changes.messages):
            self.refresh()

    def _refuse(self, command: Command, action: QAction, refusal: str) -> None:
        action.setEnabled(not refusal)
        action.setToolTip(tooltip(command, refusal))
        self._listen(command, action, bool(refusal))

    def _listen(self, command: Command, action: QAction, refused: bool) -> None:
        """Qt passes the keys of an action that can't be used; a shortcut in its place says why. Narrowed keys have another meaning elsewhere."""
        if not command.keys or action.shortcutContext() != Qt.ShortcutContext.WindowShortcut:
            return
        if refused and command.name not in self._instead:
            shortcut = QShortcut(self._window)
            shortcut.setKeys(action.shortcuts())
            shortcut.setAutoRepeat(False)
            shortcut.activated.connect(lambda: self.trigger(command.name))
            self._instead[command.name] = shortcut
        if command.name in self._instead:
            self._instead[command.name].setEnabled(refused)


def plain(command: Command) -> str:
    """Its text without the dots that promise a question."""
    return command.text.replace("…", "")


def tooltip(command: Command, refusal: str = "") -> str:
    """Name, key, explanation, and the reason where it can't be used."""
    key = f"   ({key_text(command.keys)})" if command.keys else ""
    lines = [f"{plain(command)}{key}", command.tip, f"Not now: {refusal}." if refusal else ""]
    return "\n".join(line for line in lines if line)


@cache
def key_text(keys: str) -> str:
    """As they are called on this system."""
    native = QKeySequence.SequenceFormat.NativeText
    return " or ".join(k.toString(native) for k in QKeySequence.listFromString(keys))


# -- commands that need the session only --------------------------------------------------------------------------------


def session_commands(commands: SessionCommands) -> tuple[Command, ...]:
    """Commands on what is seen and on the history."""
    return (
        *commands.history(),
        *commands.pictures(),
        *commands.overlay(),
        *commands.dose(),
        *commands.structures(),
    )


class UnfinishedStroke(Protocol):
    """What Undo takes back before any edit."""

    @property
    def held(self) -> bool:
        """Whether a button is down."""

    @property
    def open(self) -> bool:
        """Whether it waits for its next corner."""

    def take_back(self) -> bool:
        """The last step; False where there is none."""


class SessionCommands:
    """What the commands do. tell: shows a sentence where one could not do what was asked.

    menu_of: id of the structure whose menu is open. Its commands mean that one, and what is drawn on stays the same.
    """

    def __init__(self, session: Session, tell: Callable[[str], None]) -> None:
        self._session, self._tell = session, tell
        self.menu_of: str | None = None
        self.stroke: UnfinishedStroke | None = None

    def history(self) -> Iterator[Command]:
        session = self._session
        yield Command("edit.undo", "Undo", "Edit", self._undo, "Ctrl+Z", refusal=self._no_undo, icon="undo")
        yield Command("edit.redo", "Redo", "Edit", session.redo, "Ctrl+Shift+Z", refusal=self._no_redo, icon="redo")

    def pictures(self) -> Iterator[Command]:
        yield Command(
            "view.crosshair",
            "Crosshair",
            "Views",
            lambda: self._flip("crosshair"),
            "C",
            refusal=self._no_case,
            checked=lambda: self._session.view.crosshair,
            icon="crosshair",
        )
        yield Command(
            "view.fit",
            "Fit the image into the views",
            "Views",
            lambda: self._session.look(cameras=MappingProxyType({})),
            "Ctrl+0",
            refusal=self._no_case,
        )
        for number in range(1, 6):
            yield Command(
                f"window.preset{number}",
                f"Window preset {number}",
                "Views",
                lambda number=number: self.use_preset(number),
                str(number),
                "CT: liver, abdomen, lung, bone, mediastinum. MR: auto, as in the file, more contrast, less contrast, dark tissue",
                refusal=self._no_case,
            )
        yield Command("window.default", "Window as opened", "Views", self._default_window, "0", refusal=self._no_case)

    def overlay(self) -> Iterator[Command]:
        yield Command(
            "overlay.toggle",
            "Overlay on or off",
            "Overlay",
            lambda: self._flip("overlay_on"),
            "O",
            refusal=self._no_overlay_chosen,
            checked=lambda: self._session.view.overlay_on,
            icon="eye",
        )
        yield Command("overlay.less", "Less overlay", "Overlay", lambda: self.blend(-0.1), refusal=self.no_overlay)
        yield Command("overlay.more", "More overlay", "Overlay", lambda: self.blend(0.1), refusal=self.no_overlay)
        styles: tuple[tuple[OverlayStyle, str, str, str], ...] = (
            ("blend", "Blend", "Shift+O", "Both images at once; [ and ] change the share"),
            ("swipe", "Swipe", "X", "The overlay to the right of an edge that can be dragged"),
            ("spyglass", "Spyglass", "S", "The overlay in a circle under the cursor"),
            ("checkerboard", "Checkerboard", "Shift+X", "Both images in alternating squares"),
        )
        for style, text, key, tip in styles:
            yield Command(
                f"overlay.{style}",
                text,
                "Overlay",
                lambda style=style: self._style(style),
                key,
                tip,
                refusal=self.no_overlay,
                checked=lambda style=style: self._session.view.style == style,
                icon=style,
            )

    def dose(self) -> Iterator[Command]:
        yield Command(
            "dose.lines",
            "Isodose lines",
            "Dose",
            lambda: self._flip("isodose_lines"),
            "Shift+I",
            refusal=self._no_dose,
            checked=lambda: self._session.view.isodose_lines,
            icon="lines",
        )
        yield Command(
            "dose.wash",
            "Dose wash",
            "Dose",
            lambda: self._flip("wash"),
            "Shift+W",
            refusal=self._no_dose,
            checked=lambda: self._session.view.wash,
            icon="wash",
        )

    def structures(self) -> Iterator[Command]:
        yield Command(
            "structure.next", "Next structure", "Structures", lambda: self.step(1), "Tab", refusal=self._no_structures
        )
        yield Command(
            "structure.previous",
            "Previous structure",
            "Structures",
            lambda: self.step(-1),
            "Shift+Tab",
            refusal=self._no_structures,
        )
        yield Command(
            "structure.visible",
            "Show or hide the structure",
            "Structures",
            lambda: self._swap("hidden"),
            "V",
            refusal=self._nothing_meant,
        )
        yield Command(
            "structure.filled",
            "Fill or outline the structure",
            "Structures",
            lambda: self._swap("filled"),
            "Shift+V",
            refusal=self._nothing_meant,
        )
        yield Command(
            "structure.alone",
            "Show this structure alone, or all again",
            "Structures",
            self._alone,
            "Alt+V",
            refusal=self._nothing_meant,
        )
        yield Command(
            "structure.all",
            "Show all structures",
            "Structures",
            lambda: self._session.look(hidden=frozenset()),
            "Ctrl+Shift+V",
            refusal=self._no_structures,
            icon="eye",
        )
        yield Command(
            "structure.none",
            "Hide all structures",
            "Structures",
            lambda: self._session.look(hidden=frozenset(s.id for s in self.shown_set())),
            "Ctrl+Shift+H",
            refusal=self._no_structures,
            icon="eye-off",
        )
        for direction, key in (("up", "Ctrl+PgUp"), ("down", "Ctrl+PgDown")):
            yield Command(
                f"structure.{direction}",
                f"Next slice {direction} with a contour of the structure",
                "Structures",
                lambda direction=direction: self._contour(direction),
                key,
                refusal=self._no_active,
            )

    # -- what they do ---------------------------------------------------------------------------------------------------

    def shown_set(self) -> tuple[Structure, ...]:
        group = self._session.structure_set
        return group.structures if group else ()

    def meant(self) -> Structure | None:
        """The structure that a command on one means."""
        found = next((s for s in self.shown_set() if s.id == self.menu_of), None)
        return found or self._session.active

    def use_preset(self, number: int) -> None:
        base = self._session.case.image(self._session.view.base)
        found = preset(base, number) if base else None
        if base is not None and found is not None:
            self._look_through(base.id, found.window)

    def step(self, by: int) -> None:
        """Make the next or previous structure of the set the active one and go to it."""
        rows = [s for s in self.shown_set() if not s.empty]
        if not rows:
            return
        active = next((i for i, s in enumerate(rows) if s.id == self._session.view.active), None)
        self.activate(rows[(active + by) % len(rows) if active is not None else (0 if by > 0 else -1)])

    def activate(self, structure: Structure) -> None:
        """Make it the active structure and put the crosshair into it."""
        session = self._session
        wishes = {"active": structure.id, "highlighted": structure.id}
        if structure.empty:
            self._tell(f"{structure.name} has no contour to go to")
        else:
            try:
                wishes["point_mm"] = middle_of(session.case, session.view, structure)  # type: ignore[assignment]
            except NotRegisteredError:
                self._tell(f"{structure.name} is not registered to the base image: choose an image of its own frame")
        session.look(**wishes)

    def _contour(self, direction: Direction) -> None:
        session = self._session
        structure = session.case.structure(session.view.active)
        if structure is None:
            return
        try:
            point = next_contour(session.case, session.view, structure, direction)
        except NotRegisteredError:
            self._tell(f"{structure.name} is not registered to the base image: choose an image of its own frame")
            return
        if point is None:
            self._tell(f"{structure.name} has no contour further {direction}")
        else:
            session.look(point_mm=point)

    def _flip(self, field: str) -> None:
        self._session.look(**{field: not getattr(self._session.view, field)})

    def _swap(self, field: str) -> None:
        meant = self.meant()
        if meant is not None:
            self._session.look(**{field: getattr(self._session.view, field) ^ {meant.id}})

    def _alone(self) -> None:
        meant = self.meant()
        if meant is not None:
            others = frozenset(s.id for s in self.shown_set()) - {meant.id}
            self._session.look(hidden=frozenset() if self._session.view.hidden == others else others)

    def _style(self, style: OverlayStyle) -> None:
        """Into a style, or out of it back to blending."""
        self._session.look(style="blend" if self._session.view.style == style else style)

    def blend(self, by: float) -> None:
        self._session.look(blend=min(1.0, max(0.0, round(self._session.view.blend + by, 2))))

    def _default_window(self) -> None:
        base = self._session.case.image(self._session.view.base)
        if base is not None:
            self._look_through(base.id, default_window(base))

    def _look_through(self, image_id: str, window: Window) -> None:
        self._session.look(windows=MappingProxyType({**self._session.view.windows, image_id: window}))

    # -- why not --------------------------------------------------------------------------------------------------------

    def _no_case(self) -> str:
        return "" if self._session.view.base else NOTHING_OPEN

    def _undo(self) -> None:
        if self.stroke is None or not self.stroke.take_back():
            self._session.undo()

    def _no_undo(self) -> str:
        history = self._session.history
        if self.stroke is not None and (self.stroke.held or self.stroke.open):
            return ""
        return self._session.move_refusal(history.position - 1) if history.undo_label else "nothing to undo"

    def _no_redo(self) -> str:
        history = self._session.history
        return self._session.move_refusal(history.position + 1) if history.redo_label else "nothing to redo"

    def _no_overlay_chosen(self) -> str:
        return self._no_case() or ("" if self._session.view.overlay else "no overlay is chosen")

    def no_overlay(self) -> str:
        return self._no_overlay_chosen() or ("" if self._session.view.overlay_on else "the overlay is off")

    def _no_dose(self) -> str:
        return self._no_case() or ("" if self._session.view.dose else "no dose is shown")

    def _no_structures(self) -> str:
        return self._no_case() or ("" if self.shown_set() else "there are no structures")

    def _nothing_meant(self) -> str:
        return self._no_structures() or ("" if self.meant() else "no structure is active")

    def _no_active(self) -> str:
        return self._no_structures() or ("" if self._session.view.active else "no structure is active")
