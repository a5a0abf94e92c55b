"""Commands of the window itself: modes, views, panels, tools of the pictures, help, and the menu."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QWidget

from reviewer.scene import Mode

from ..actions import NOTHING_OPEN, Command
from ..dialogs.about import AboutDialog
from ..dialogs.keys import KeysDialog
from ..dialogs.palette import CommandPalette
from ..dialogs.problems import ProblemsDialog
from ..panels.banner import MODES
from ..theme import apply_theme, theme

if TYPE_CHECKING:
    from ..main_window import MainWindow


LINE_PX = 24
"""What differs less in height stands in one line."""


class WindowCommands:
    def __init__(self, window: MainWindow) -> None:
        self._window, self._session = window, window.session

    def file_commands(self) -> Iterator[Command]:
        yield Command(
            "file.export",
            "Export…",
            "File",
            self._export,
            "Ctrl+E",
            "Structures as RTSTRUCT, DICOM SEG or NIfTI; never over a file that is there",
            refusal=self._nothing_to_export,
            icon="export",
        )
        yield Command(
            "file.picture",
            "Save a picture of the view…",
            "File",
            self._ask_picture,
            "Ctrl+Alt+S",
            "The view under the pointer, as PNG, with all that is drawn in it",
            refusal=self._no_case,
            icon="camera",
        )
        yield Command("file.problems", "Problems while reading…", "File", self.show_problems, refusal=self._no_problems)
        yield Command("file.quit", "Quit", "File", self._quit, "Ctrl+Q")

    def mode_commands(self) -> Iterator[Command]:
        for mode in MODES:
            yield Command(
                f"mode.{mode}",
                mode.capitalize(),
                "Modes",
                lambda mode=mode: self._session.look(mode=mode),  # type: ignore[misc]
                refusal=lambda mode=mode: self._mode_refusal(mode),  # type: ignore[misc]
                checked=lambda mode=mode: self._session.view.mode == mode,  # type: ignore[misc]
            )

    def beside_command(self) -> Command:
        return Command(
            "plans.beside",
            "Both plans side by side",
            "Plans",
            self.beside,
            "Shift+Y",
            "The axial slice with the compared dose beside the one with the shown dose; they move together",
            refusal=self._no_beside,
            checked=lambda: self._window.views.beside is not None,
            icon="beside",
        )

    def view_commands(self) -> Iterator[Command]:
        yield Command(
            "view.maximise",
            "One view alone, or all",
            "Views",
            lambda: self._window.views.toggle(self._window.views.alone or self._window.views.under_hand()),
            "F",
            refusal=self._no_case,
            icon="maximise",
        )
        for tool, text, key, tip in (
            ("point", "Crosshair tool", "H", "Click in a picture to put the crosshair there"),
            (
                "window",
                "Window / level tool",
                "A",
                "Drag in a picture: across for the width, up and down for the level",
            ),
            ("distance", "Distance tool", "M", "Drag in a picture to measure in mm; Esc takes the distances away"),
        ):
            yield Command(
                f"tool.{tool}",
                text,
                "Tools",
                lambda tool=tool: self._window.use_tool(tool),  # type: ignore[misc]
                key,
                tip,
                refusal=self._no_case,
                checked=lambda tool=tool: self._window.tool == tool,  # type: ignore[misc]
                icon={"point": "crosshair", "window": "window", "distance": "distance"}[tool],
            )
        for side, key in (("left", "F9"), ("right", "F10")):
            yield Command(
                f"panel.{side}",
                f"Panels on the {side}",
                "Panels",
                lambda side=side: self._toggle_column(side),  # type: ignore[misc]
                key,
                checked=lambda side=side: not self._column(side).isHidden(),  # type: ignore[misc]
            )
        for number, (name, title) in enumerate(
            (
                ("layers", "Layers"),
                ("structures", "Structures"),
                ("isodoses", "Isodoses"),
                ("dvh", "DVH"),
                ("plan", "Plan"),
                ("tools", "Tools"),
                ("operations", "Operations"),
                ("history", "History"),
                ("goals", "Goals"),
            ),
            start=1,
        ):
            yield Command(
                f"panel.{name}",
                f"Fold or unfold {title}",
                "Panels",
                lambda name=name: self._window.folds[name].toggle(),  # type: ignore[misc]
                f"Ctrl+{number}",
            )
        for name, text, key, step in (
            ("next", "To the next part of the window", "F6", 1),
            ("previous", "To the part before", "Shift+F6", -1),
        ):
            yield Command(
                f"window.{name}",
                text,
                "Window",
                lambda step=step: self._go_on(step),  # type: ignore[misc]
                key,
                "Takes the keyboard from the pictures to the panels, to the line at the bottom and that at the top, and round",
            )
        yield Command("view.theme", "Dark or light", "Window", self._toggle_theme, "Ctrl+T", icon="theme")
        yield Command("help.palette", "Find a command…", "Help", self._show_palette, "Ctrl+K", icon="search")
        yield Command("help.keys", "Keys and mouse", "Help", self.show_keys, "?; F1", icon="help")
        yield Command("help.about", "About Reviewer", "Help", self.show_about, icon="note")

    def menu(self) -> QMenu:
        """What the button before the patient's name opens; short enough for a window of 800 pixels."""
        menu = QMenu(self._window)
        two = QMenu("Two plans", menu)
        two.addActions(
            [
                self._window.actions_[name]
                for name in ("plans.beside", "dose.map.gy", "dose.map.percent", "dose.map.gamma", "dose.both")
            ]
        )
        submenus = {"recent": self._window.recent_menu, "two": two}
        groups = (
            ("file.folder", "file.files", "file.workspace", "recent", "file.demo"),
            ("file.save", "file.save_as"),
            ("edit.undo", "edit.redo"),
            ("structure.targets", "structure.derive", "structure.compare"),
            ("plans.day", "two", "plans.dose_check"),
            ("review.sign", "review.second", "review.reopen"),
            ("file.report", "file.export", "file.picture", "file.problems"),
            ("panel.left", "panel.right", "view.theme"),
            ("help.palette", "help.keys", "help.about"),
            ("file.quit",),
        )
        for group in groups:
            for name in group:
                if name in submenus:
                    menu.addMenu(submenus[name])
                else:
                    menu.addAction(self._window.actions_[name])
            menu.addSeparator()
        return menu

    def show_problems(self) -> None:
        ProblemsDialog(self._session.case.problems, self._window).show()

    def _export(self) -> None:
        dialog = import_module("..dialogs.export", __package__)
        dialog.ExportDialog(self._session, self._window.jobs, self._window.status.say, self._window).open()

    def show_keys(self) -> None:
        KeysDialog(self._window.actions_, self._window).show()

    def show_about(self) -> None:
        AboutDialog(self._window).show()

    def _show_palette(self) -> None:
        CommandPalette(self._window.actions_, self._window).open_over(self._window)

    def _quit(self) -> None:
        self._window.close()

    def _no_case(self) -> str:
        return "" if self._session.view.base else NOTHING_OPEN

    def _nothing_to_export(self) -> str:
        return "" if self._session.case.structures else "there are no structures"

    def _no_problems(self) -> str:
        return "" if self._session.case.problems else "there were none"

    def _mode_refusal(self, mode: Mode) -> str:
        if mode == "review":
            return ""
        if mode == "contour":
            return "" if self._session.case.images else "there is no image to draw on"
        if mode == "gating":
            return self._window.gating.refusal()
        return {
            "day": "comes with the adaptive day",
            "practice": "comes with exercises and scoring",
        }[mode]

    def _column(self, side: str) -> QWidget:
        return self._window.left if side == "left" else self._window.right

    def _toggle_column(self, side: str) -> None:
        column = self._column(side)
        column.setVisible(column.isHidden())

    def _go_on(self, step: int) -> None:
        """The keyboard to another part of the window: Tab, which leads on within a part, means the next structure in a picture."""
        window = self._window
        across = (window.left, window.comparison, window.right)
        parts = (
            window.banner,
            window.strip,
            window.saving.offer,
            *across,
            window.gating,
            window.welcome,
            window.status,
        )
        stops = [(part, first) for part in parts if (first := _first_stop(part)) is not None]
        has_it = window.focusWidget()
        now = next((n for n, (part, _) in enumerate(stops) if has_it is not None and part.isAncestorOf(has_it)), -1)
        if stops:
            stops[(now + step) % len(stops) if now >= 0 else 0][1].setFocus(Qt.FocusReason.TabFocusReason)

    def _toggle_theme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, "light" if theme().name == "dark" else "dark")

    def _ask_picture(self) -> None:
        name = self._window.views.alone or self._window.views.under_hand()
        picture = self._window.views[name].grab()
        file, _ = QFileDialog.getSaveFileName(self._window, f"Save the {name} view", f"{name}.png", "PNG (*.png)")
        if file and not picture.save(file, "PNG"):
            self._window.strip.tell(f"{file}: the picture could not be written; choose another folder")

    def beside(self) -> None:
        """The compared dose in a second axial picture, or the other three pictures again."""
        if self._window.views.beside is not None:
            self._window.views.put_beside(None)
            return
        slice_view = import_module("..canvas.slice_view", __package__)
        view = slice_view.SliceView(import_module("..canvas.beside", __package__).OtherDose(self._session), "axial")
        view.setObjectName("views.beside")
        view.pointed.connect(self._window.pointed)
        view.maximise_requested.connect(self.beside)
        self._window.views.put_beside(view)

    def _no_beside(self) -> str:
        if self._window.views.beside is not None:
            return ""
        if not self._window.views_loaded:
            return NOTHING_OPEN
        return "" if self._session.view.other_dose else "no other plan is compared"


def _first_stop(part: QWidget) -> QWidget | None:
    """The uppermost and leftmost of what Tab reaches in a part of the window; None where it is not seen, or has none."""

    def place(widget: QWidget) -> tuple[int, int]:
        at = widget.mapTo(part, QPoint(0, 0))
        return at.y() // LINE_PX, at.x()

    reached = (
        w
        for w in part.findChildren(QWidget)
        if w.isVisible() and w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.focusProxy() is None
    )
    return min(reached, key=place, default=None) if part.isVisible() else None
