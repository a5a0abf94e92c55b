"""`MainWindow`: one window, one case. Puts panels and views in their places and opens cases; what is heavy is loaded after the first paint."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QMainWindow,
    QMenu,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Case, Problem
from reviewer.errors import CancelledError, ReviewerError
from reviewer.scene import ORIENTATIONS, Mode
from reviewer.session import Session, with_dose_as_image

from .actions import NOTHING_OPEN, Actions, Command, SessionCommands, session_commands
from .binding import Changes, follow
from .commands.approving import Approving
from .commands.checking import DoseChecking
from .commands.derived import DerivedCommands
from .commands.drawing import KINDS, Drawing, drawing_commands
from .commands.gating import GatingPlace
from .commands.managing import StructureManagement
from .commands.operating import CATALOGUE, Operating, operation_commands
from .commands.plans import PlanCommands
from .commands.saving import Saving
from .dialogs.about import AboutDialog
from .dialogs.keys import KeysDialog
from .dialogs.palette import CommandPalette
from .dialogs.problems import ProblemsDialog
from .jobs import Job, Jobs, Progress
from .loading import load
from .numbers import Numbers
from .panels.banner import MODES, Banner
from .panels.comparison_place import ComparisonPlace
from .panels.fold import Fold
from .panels.history import HistoryPanel
from .panels.isodoses import IsodosePanel
from .panels.layers import LayersPanel
from .panels.operations import OperationsPanel
from .panels.plan import PlanPanel
from .panels.status import StatusStrip
from .panels.strip import ErrorStrip
from .panels.structures import StructuresPanel
from .panels.tools import ToolsPanel
from .panels.views import NAMES, ViewGrid
from .panels.waiting import WaitingPage
from .panels.welcome import Welcome, recent_title
from .theme import apply_theme, icon, styled_once, theme, theme_changed

LEFT_WIDTH, RIGHT_WIDTH, HANDLE = 216, 204, 3
"""Of the panel columns and what parts them, so that the views keep two thirds of 1280 pixels."""

RECENT_KEPT = 8

FIRST_STEPS = "Q picks the structure under the cursor · B paints · N nudges · I fills slices between drawn ones · Ctrl+Z takes back · ? all keys"

ROOMY = 960
"""Height in pixels from which on all panels of Contour mode find room."""

DOSE_FOR_IMAGE = (
    "There is no image among these files: what is shown in grey is the dose grid itself, in Gy. "
    "Open it together with the series that it was made on."
)
ONLY_CINE = (
    "There is a cine among these files, but no image to contour or to lay doses on: the cine is shown in Gating mode."
)
NO_IMAGE = (
    "There is no image among these files: contours and doses have nothing to lie on. "
    "Open them together with the series that they were made on."
)


def without_image(case: Case) -> str:
    """What there is in a case without an image, and where it is shown."""
    if case.doses:
        return DOSE_FOR_IMAGE
    return ONLY_CINE if case.cines else NO_IMAGE


@dataclass(frozen=True)
class Request:
    """What is to be opened. patient_id and study_uids narrow it down where the files belong to several."""

    paths: tuple[Path, ...]
    demo: bool = False
    patient_id: str | None = None
    study_uids: frozenset[str] | None = None


class MainWindow(QMainWindow):
    """remember: restore and keep layout, theme and recent cases; a picture for a report does neither.

    painted: the window has been on the screen once; opened: a case is shown, its voxels may still be arriving.
    """

    painted = Signal()
    opened = Signal()
    _arrived = Signal(str)
    _stopped = Signal(object)

    def __init__(self, session: Session | None = None, remember: bool = True) -> None:
        super().__init__()
        self.setObjectName("main")
        self.setWindowTitle("Reviewer")
        self.setAcceptDrops(True)
        self.session = session or Session()
        self.jobs = Jobs(self)
        self.numbers = Numbers(self.session, self.jobs, self)
        self.failure: Exception | None = None
        self._remember = remember
        self._painted = False
        self._views_loaded = False
        self._made_room = False
        self._tool = "point"
        self._asked: Job | None = None
        self._opening: Any = None
        self._make_rooms(remember)
        with styled_once():
            self._furnish()
        self._draw()
        self._restore()
        self._show_recent()
        self._arrange()
        self._show_page()

    def _make_rooms(self, remember: bool) -> None:
        """Those who do the work of the window, and their commands."""
        self.strip = ErrorStrip()
        self.status = StatusStrip(self.session, self.jobs)
        self.actions_ = Actions(self, self.session)
        self.actions_.refused.connect(self.status.say)
        self.commands = SessionCommands(self.session, self.status.say)
        self.derived = DerivedCommands(self, self.session, self.jobs, self.status.say, self.strip.tell)
        self.views = ViewGrid()
        self.management = StructureManagement(
            self,
            self.session,
            self.status.say,
            self.strip.tell,
            lambda structure_id: self.structures.edit_name(structure_id),
            self._structure_under_cursor,
        )
        self.drawing = Drawing(self.session, self.jobs, self.status.say, self.strip.tell, self)
        self.drawing.changed.connect(self._drawing_changed)
        self.operating = Operating(self.session, self.jobs, self.drawing, self.status.say, self.strip.tell, self)
        self.operating.changed.connect(self.actions_.refresh)
        self.plans = PlanCommands(self, self.session, self.jobs, self.status.say, self.strip.tell)
        self.checking = DoseChecking(self, self.session, self.jobs, self.status.say)
        self.comparison = ComparisonPlace(self.views, self.session, self.jobs)
        self.gating = GatingPlace(self.session, self.jobs, self.actions_, self.strip.tell)
        self.saving = Saving(
            self, self.session, self.jobs, self.strip, self.status.say, lambda paths: self.open_paths(paths), remember
        )
        self.saving.saved_as.connect(lambda path: self._keep_recent([path]))
        self.status.put(self.saving.state)
        self.approving = Approving(
            self, self.session, self.jobs, self.saving, self.status.say, self.strip.tell, self.gating.traces
        )
        self._add_commands()

    def _furnish(self) -> None:
        """The panels, and where they stand."""
        menu_button = QToolButton()
        menu_button.setObjectName("banner.menu")
        menu_button.setProperty("role", "flat")
        menu_button.setToolTip("Menu")
        menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu_button = menu_button
        self.recent_menu = QMenu("Recent cases", self)
        menu_button.setMenu(self._menu())
        self.banner = Banner(self.session, self.actions_, menu_button)
        self.layers = LayersPanel(self.session, self.actions_)
        self.structures = StructuresPanel(self.session, self.numbers, self.actions_, self.commands, self.management)
        self.isodoses = IsodosePanel(self.session, self.actions_)
        self.plan = PlanPanel(self.session)
        self.tools = ToolsPanel(self.session, self.numbers, self.drawing, self.actions_)
        self.operations = OperationsPanel(self.session, self.drawing, self.operating)
        self.history = HistoryPanel(self.session, self.actions_)
        self._dvh_place, self._goals_place = QWidget(), QWidget()
        self.folds = {
            "layers": Fold("fold.layers", "Layers", self.layers, self.layers.tools),
            "structures": Fold("fold.structures", "Structures", self.structures, self.structures.tools),
            "isodoses": Fold("fold.isodoses", "Isodoses", self.isodoses, self.isodoses.tools),
            "dvh": Fold("fold.dvh", "DVH", self._dvh_place),
            "plan": Fold("fold.plan", "Plan", self.plan),
            "tools": Fold("fold.tools", "Tools", self.tools),
            "operations": Fold("fold.operations", "Operations", self.operations),
            "history": Fold("fold.history", "History", self.history, self.history.tools),
            "goals": Fold("fold.goals", "Goals", self._goals_place),
        }
        for number, fold in enumerate(self.folds.values(), start=1):
            fold.set_tip(f"Fold or unfold   (Ctrl+{number})")
        self.left = _column(
            "left",
            [self.folds[n] for n in ("layers", "tools", "operations", "structures", "isodoses")],
            LEFT_WIDTH,
            stretch=3,
        )
        self.right_splitter = QSplitter(Qt.Orientation.Vertical)
        self.right_splitter.setObjectName("right.splitter")
        self.right_splitter.setHandleWidth(HANDLE)
        self.right_splitter.setChildrenCollapsible(False)
        for name in ("goals", "dvh", "plan", "history"):
            self.right_splitter.addWidget(self.folds[name])
        self.right_splitter.setSizes([420, 260, 42, 320])
        for place, growth in enumerate((3, 2, 0, 1)):
            self.right_splitter.setStretchFactor(place, growth)
        self.folds["plan"].set_open(False)
        self.right = _column("right", [self.right_splitter], RIGHT_WIDTH, stretch=0)
        self.across = QSplitter(Qt.Orientation.Horizontal)
        self.across.setObjectName("across")
        self.across.setHandleWidth(HANDLE)
        self.across.setChildrenCollapsible(False)
        for widget in (self.left, self.comparison, self.right):
            self.across.addWidget(widget)
        for place, growth in enumerate((1, 9, 2)):
            self.across.setStretchFactor(place, growth)
        self.across.setSizes([LEFT_WIDTH, 1280 - LEFT_WIDTH - RIGHT_WIDTH - 2 * HANDLE, RIGHT_WIDTH])

        self.welcome = Welcome(self.actions_)
        self.welcome.recent_chosen.connect(lambda paths: self.open_paths([Path(p) for p in paths]))
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.waiting = WaitingPage(self.jobs)
        self.pages.addWidget(self.waiting)
        self.pages.addWidget(self.across)
        self.pages.addWidget(self.gating)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for widget, stretch in (
            (self.banner, 0),
            (self.strip, 0),
            (self.saving.offer, 0),
            (self.pages, 1),
            (self.status, 0),
        ):
            column.addWidget(widget, stretch)
        self.setCentralWidget(middle)
        self.setMinimumSize(960, 600)
        self.resize(1280, 800)

        self.jobs.failed.connect(self.tell_failure)
        self.jobs.changed.connect(self._jobs_changed)
        self.status.problems_wanted.connect(self.show_problems)
        self._arrived.connect(self.session.voxels_arrived)
        self._stopped.connect(self._reading_stopped)
        theme_changed.connect(self._draw)
        follow(self, self.session, self._refresh)

    # -- opening --------------------------------------------------------------------------------------------------------

    def open_paths(self, paths: Sequence[Path], demo: bool = False) -> None:
        """Open files and folders, or the demo case; what was open stays until the new case is there."""
        self.open(Request(tuple(paths), demo))

    def open(self, request: Request) -> None:
        if any(self.saving.is_open(path) for path in request.paths):
            self.status.say(f"{request.paths[0].name} is open already")
            return
        if not self.saving.may_leave():
            return
        self.failure = None
        self._asked = self.jobs.run(
            "Preparing the demo case" if request.demo else f"Opening {_named(request.paths)}",
            lambda progress: _begin(request, progress, hold=self._remember),
            lambda opening: self._case_is_there(request, opening),
            lambda error: self._could_not_open(request, error),
            key="open",
        )
        self._show_page()

    def _case_is_there(self, request: Request, opening: Any) -> None:
        self._asked = None
        self.jobs.cancel_all()
        self.strip.clear()
        self._opening = opening
        self.saving.open(opening, with_dose_as_image(opening.case))
        self.banner.warn(opening.workspace.doubts if opening.workspace is not None else ())
        if not request.demo:
            self._keep_recent(request.paths)
        self._show_page()
        if not opening.case.images:
            self.strip.tell(without_image(opening.case))
        if any(not image.complete for image in opening.case.images):
            self._read_voxels(opening)
        self.opened.emit()

    def _read_voxels(self, opening: Any) -> None:
        images = [i for i in opening.case.images if i.pending is not None]
        planes = sum(len(i.pending) for i in images)
        first = self.session.view.base

        def work(progress: Progress) -> tuple[Problem, ...]:
            def arrived(image_id: str) -> None:
                missing = sum(int(i.pending.sum()) for i in images)
                progress.report(1 - missing / planes, f"{planes - missing} of {planes} slices")
                self._arrived.emit(image_id)

            try:
                return opening.read_voxels(arrived, cancelled=progress.cancelled, first=first)
            except CancelledError:
                self._stopped.emit(opening)
                raise

        self.jobs.run("Reading images", work, self.session.found, key="voxels")

    def _reading_stopped(self, opening: Any) -> None:
        if opening is self._opening:
            missing = sum(int(i.pending.sum()) for i in opening.case.images if i.pending is not None)
            self.strip.tell(
                f"Reading was cancelled: {missing} slices have not been read. Open the case again to read them."
            )

    def _could_not_open(self, request: Request, error: Exception) -> None:
        self.failure = error
        self._asked = None
        self._show_page()
        opening = import_module("reviewer.opening")
        if isinstance(error, opening.SeveralPatientsError):
            choose = import_module(".dialogs.choose", __package__)
            dialog = choose.ChooseDialog(error.candidates, self)
            dialog.chosen.connect(
                lambda patient, studies: self.open(
                    Request(request.paths, request.demo, patient, frozenset(studies) or None)
                )
            )
            dialog.open()
        else:
            self.tell_failure("The demo case" if request.demo else "Opening", error)

    def tell_failure(self, label: str, error: Exception) -> None:
        """Into the strip: what a person may read, else the kind of error with a hint where it came from."""
        if isinstance(error, ReviewerError):
            self.strip.tell(str(error))
        else:
            text = f"{error} ".splitlines()[0].strip()  # a compiler's complaint has a hundred lines
            self.strip.tell(
                f"{label}: unexpected {type(error).__name__}: {text}. Please report it; the log has the details."
            )

    # -- the views ------------------------------------------------------------------------------------------------------

    def load_views(self) -> None:
        """Import and place what is too heavy for the first paint: slices first, then DVH, then 3D."""
        if self._views_loaded:
            return
        self._views_loaded = True
        slice_view = import_module(".canvas.slice_view", __package__)
        for orientation in ORIENTATIONS:
            view = slice_view.SliceView(self.session, orientation, self.drawing)
            view.setObjectName(f"views.{orientation}")
            view.pointed.connect(self._pointed)
            view.tool_changed.connect(self._use_tool)
            self._place(orientation, view)
        self.drawing.at(*self._slices())
        QTimer.singleShot(0, self, self._load_plots)

    def _load_plots(self) -> None:
        dvh = import_module(".panels.dvh", __package__)
        self.dvh = dvh.DvhPanel(self.session, self.jobs, self.numbers)
        self.folds["dvh"].put(self.dvh)
        QTimer.singleShot(0, self, self._load_goals)

    def _load_goals(self) -> None:
        goals_work = import_module(".panels.goals_work", __package__)
        work = goals_work.GoalWork(self.session, self.jobs, self.numbers, self)
        panel = import_module(".panels.goals", __package__)
        self.goals = panel.GoalsPanel(self.session, self.jobs, self.actions_, work)
        self.goals.decision_wanted.connect(lambda: self.actions_.trigger("plans.decision"))
        self.folds["goals"].put(self.goals)
        QTimer.singleShot(0, self, self._load_volume)

    def _load_volume(self) -> None:
        volume_view = import_module(".canvas.volume.view", __package__)
        view = volume_view.VolumeView(self.session, self.jobs)
        view.setObjectName("views.volume")
        self._place("volume", view)

    def settle_views(self) -> None:
        """Come back when the next paint of every view will be complete."""
        for view in self._slices():
            view.settle()
        self.views["volume"].wait()  # type: ignore[attr-defined]

    def _beside(self) -> None:
        """The compared dose in a second axial picture, or the other three pictures again."""
        if self.views.beside is not None:
            self.views.put_beside(None)
            return
        slice_view = import_module(".canvas.slice_view", __package__)
        view = slice_view.SliceView(import_module(".canvas.beside", __package__).OtherDose(self.session), "axial")
        view.setObjectName("views.beside")
        view.pointed.connect(self._pointed)
        view.maximise_requested.connect(self._beside)
        self.views.put_beside(view)

    def _no_beside(self) -> str:
        if self.views.beside is not None:
            return ""
        if not self._views_loaded:
            return NOTHING_OPEN
        return "" if self.session.view.other_dose else "no other plan is compared"

    def _place(self, name: str, view: Any) -> None:
        view.maximise_requested.connect(lambda: self.views.toggle(name))
        self.views.put(name, view)

    def _pointed(self, what: Any) -> None:
        """what: `canvas.pointed.Pointed`, None outside."""
        if what is None:
            self.status.point("")
            return
        x, y, z = what.point_mm
        names = ", ".join(what.structures[:3])
        self.status.point("   ".join(p for p in (names, what.text, f"{x:.1f}, {y:.1f}, {z:.1f} mm") if p))

    def _structure_under_cursor(self) -> str | None:
        view = next((v for v in self._slices() if v.underMouse()), None)
        return view.structure_under_cursor if view is not None else None

    def _use_tool(self, tool: str) -> None:
        """The same tool in all pictures; the one that is in hand, asked for again, is put down."""
        asked = self.sender() not in self._slices()
        self._tool = "point" if asked and tool == self._tool else tool
        if self._tool != "draw":
            self.drawing.take(None)
        for view in self._slices():
            view.set_tool(self._tool)
        self.actions_.refresh()

    def _drawing_changed(self) -> None:
        kind = self.drawing.kind
        self._tool = "draw" if kind is not None else "point" if self._tool == "draw" else self._tool
        for view in self._slices():
            view.set_tool(self._tool)
        self._hint()
        self.actions_.refresh()

    def _hint(self) -> None:
        """What the hand can do in Contour mode, in the strip at the bottom."""
        kind, contour = self.drawing.kind, self.session.view.mode == "contour"
        self.status.hint(f"{kind.text}: {kind.hint}" if kind is not None else FIRST_STEPS if contour else "")

    def _load_tools(self) -> None:
        """Beside the window, so that the first stroke does not wait for them."""
        modules = [*sorted({f"reviewer.edit.tools.{kind.module}" for kind in KINDS}), CATALOGUE]
        self.jobs.run("Loading the tools", lambda _: [load(name) for name in modules], lambda _: None, key="tools")

    def _slices(self) -> list[Any]:
        return [self.views[o] for o in ORIENTATIONS] if self._views_loaded else []

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self._show_page()
        if self.views.beside is not None and changes.view("columns", "dose") and not self.session.view.other_dose:
            self.views.put_beside(None)
            self.actions_.refresh()
        if changes.view("mode"):
            self._arrange()

    def _arrange(self) -> None:
        """The panels of the mode."""
        contour = self.session.view.mode == "contour"
        for name in ("tools", "operations", "history"):
            self.folds[name].setVisible(contour)
        for name in ("isodoses", "plan"):
            self.folds[name].setVisible(not contour)
        self.folds["goals"].setVisible(not contour or self.height() >= ROOMY)
        self._hint()
        self._show_page()
        if contour:
            self._load_tools()
        # A low window has no room for everything: while contours are drawn the structures matter more than the layers.
        if contour and self.height() < ROOMY and self.folds["layers"].open:
            self._made_room = True
            self.folds["layers"].set_open(False)
        elif not contour and self._made_room:
            self._made_room = False
            self.folds["layers"].set_open(True)

    def _jobs_changed(self) -> None:
        if self._asked is not None and self._asked.progress.cancelled():
            self._asked = None
            self._show_page()

    def _show_page(self) -> None:
        case = self.session.case
        empty = not (case.images or case.structure_sets or case.doses or case.plans or case.cines)
        opening = self._asked is not None and not self._asked.progress.cancelled()
        gating = self.session.view.mode == "gating" and not self.gating.refusal()
        work = self.gating if gating else self.across
        self.pages.setCurrentWidget(work if not empty else self.waiting if opening else self.welcome)
        if gating:
            self.gating.enter()
        else:
            self.gating.leave()
        name = case.patient.name.replace("^", " ").strip()
        self.setWindowTitle(f"{name or case.patient.id or 'case'} – Reviewer" if not empty else "Reviewer")
        self.actions_.refresh()

    def _draw(self) -> None:
        self._menu_button.setIcon(icon("menu"))
        self.setWindowIcon(icon("logo", 64))
        self.actions_.draw_icons()

    # -- commands -------------------------------------------------------------------------------------------------------

    def _add_commands(self) -> None:
        add = self.actions_.add
        add(Command("file.demo", "Demo case", "File", lambda: self.open_paths([], demo=True), icon="body"))
        add(Command("file.folder", "Open folder…", "File", self._ask_folder, "Ctrl+O", icon="folder"))
        add(Command("file.files", "Open files…", "File", self._ask_files, "Ctrl+Shift+O", icon="files"))
        for command in (*self.saving.commands(), *self.approving.commands()):
            add(command)
        add(
            Command(
                "file.export",
                "Export…",
                "File",
                self._export,
                "Ctrl+E",
                "Structures as RTSTRUCT, DICOM SEG or NIfTI; never over a file that is there",
                refusal=self._nothing_to_export,
                icon="export",
            )
        )
        add(
            Command(
                "file.picture",
                "Save a picture of the view…",
                "File",
                self._ask_picture,
                "Ctrl+Alt+S",
                "The view under the pointer, as PNG, with all that is drawn in it",
                refusal=self._no_case,
                icon="camera",
            )
        )
        add(Command("file.problems", "Problems while reading…", "File", self.show_problems, refusal=self._no_problems))
        add(Command("file.quit", "Quit", "File", self._quit, "Ctrl+Q"))
        for mode in MODES:
            add(
                Command(
                    f"mode.{mode}",
                    mode.capitalize(),
                    "Modes",
                    lambda mode=mode: self.session.look(mode=mode),  # type: ignore[misc]
                    refusal=lambda mode=mode: self._mode_refusal(mode),  # type: ignore[misc]
                    checked=lambda mode=mode: self.session.view.mode == mode,  # type: ignore[misc]
                )
            )
        for command in session_commands(self.session, self.status.say):
            # Tab moves the focus elsewhere; over the pictures it goes from structure to structure.
            add(command, *((self.views,) if "Tab" in command.keys else ()))
        for command in drawing_commands(self.session, self.drawing, self.commands):
            add(command)
        for command in operation_commands(self.session, self.operating, self.drawing):
            add(command)
        for command in (*self.management.commands(), *self.derived.commands()):
            add(command)
        for command in (*self.plans.commands(), *self.plans.goal_commands(), *self.plans.dose_commands()):
            add(command)
        for command in self.checking.commands():
            add(command)
        add(
            Command(
                "plans.beside",
                "Both plans side by side",
                "Plans",
                self._beside,
                "Shift+Y",
                "The axial slice with the compared dose beside the one with the shown dose; they move together",
                refusal=self._no_beside,
                checked=lambda: self.views.beside is not None,
                icon="beside",
            )
        )
        add(self.comparison.command())
        for command in self.gating.commands():
            add(command)
        add(
            Command(
                "view.maximise",
                "One view alone, or all",
                "Views",
                lambda: self.views.toggle(self.views.alone or self.views.under_hand()),
                "F",
                refusal=self._no_case,
                icon="maximise",
            )
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
            add(
                Command(
                    f"tool.{tool}",
                    text,
                    "Tools",
                    lambda tool=tool: self._use_tool(tool),  # type: ignore[misc]
                    key,
                    tip,
                    refusal=self._no_case,
                    checked=lambda tool=tool: self._tool == tool,  # type: ignore[misc]
                    icon={"point": "crosshair", "window": "window", "distance": "distance"}[tool],
                )
            )
        for side, key in (("left", "F9"), ("right", "F10")):
            add(
                Command(
                    f"panel.{side}",
                    f"Panels on the {side}",
                    "Panels",
                    lambda side=side: self._toggle_column(side),  # type: ignore[misc]
                    key,
                    checked=lambda side=side: not self._column(side).isHidden(),  # type: ignore[misc]
                )
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
            add(
                Command(
                    f"panel.{name}",
                    f"Fold or unfold {title}",
                    "Panels",
                    lambda name=name: self.folds[name].toggle(),  # type: ignore[misc]
                    f"Ctrl+{number}",
                )
            )
        add(Command("view.theme", "Dark or light", "Window", self._toggle_theme, "Ctrl+T", icon="theme"))
        add(Command("help.palette", "Find a command…", "Help", self._show_palette, "Ctrl+K", icon="search"))
        add(Command("help.keys", "Keys and mouse", "Help", self.show_keys, "?; F1", icon="help"))
        add(Command("help.about", "About Reviewer", "Help", self.show_about, icon="note"))

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        groups = (
            ("file.folder", "file.files", "file.workspace", "recent", "file.demo"),
            ("file.save", "file.save_as"),
            ("edit.undo", "edit.redo"),
            ("structure.targets", "structure.derive", "structure.compare"),
            (
                "plans.day",
                "plans.beside",
                "dose.map.gy",
                "dose.map.percent",
                "dose.map.gamma",
                "dose.both",
                "plans.dose_check",
            ),
            ("review.sign", "review.second", "review.reopen"),
            ("file.report", "file.export", "file.picture", "file.problems"),
            ("panel.left", "panel.right", "view.theme"),
            ("help.palette", "help.keys", "help.about"),
            ("file.quit",),
        )
        for group in groups:
            for name in group:
                if name == "recent":
                    menu.addMenu(self.recent_menu)
                else:
                    menu.addAction(self.actions_[name])
            menu.addSeparator()
        return menu

    def show_problems(self) -> None:
        ProblemsDialog(self.session.case.problems, self).show()

    def _export(self) -> None:
        dialog = import_module(".dialogs.export", __package__)
        dialog.ExportDialog(self.session, self.jobs, self.status.say, self).open()

    def show_keys(self) -> None:
        KeysDialog(self.actions_, self).show()

    def show_about(self) -> None:
        AboutDialog(self).show()

    def _show_palette(self) -> None:
        CommandPalette(self.actions_, self).open_over(self)

    def _quit(self) -> None:
        self.close()

    def _no_case(self) -> str:
        return "" if self.session.view.base else NOTHING_OPEN

    def _nothing_to_export(self) -> str:
        return "" if self.session.case.structures else "there are no structures"

    def _no_problems(self) -> str:
        return "" if self.session.case.problems else "there were none"

    def _mode_refusal(self, mode: Mode) -> str:
        if mode == "review":
            return ""
        if mode == "contour":
            return "" if self.session.case.images else "there is no image to draw on"
        if mode == "gating":
            return self.gating.refusal()
        return {
            "day": "comes with the adaptive day",
            "practice": "comes with exercises and scoring",
        }[mode]

    def _column(self, side: str) -> QWidget:
        return self.left if side == "left" else self.right

    def _toggle_column(self, side: str) -> None:
        column = self._column(side)
        column.setVisible(column.isHidden())

    def _toggle_theme(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            apply_theme(app, "light" if theme().name == "dark" else "dark")

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a folder", self._last_folder())
        if folder:
            self.open_paths([Path(folder)])

    def _ask_files(self) -> None:
        found, _ = QFileDialog.getOpenFileNames(self, "Open files", self._last_folder())
        if found:
            self.open_paths([Path(f) for f in found])

    def _ask_picture(self) -> None:
        name = self.views.alone or self.views.under_hand()
        picture = self.views[name].grab()
        file, _ = QFileDialog.getSaveFileName(self, f"Save the {name} view", f"{name}.png", "PNG (*.png)")
        if file and not picture.save(file, "PNG"):
            self.strip.tell(f"{file}: the picture could not be written; choose another folder")

    def _last_folder(self) -> str:
        recent = self._recent()
        return str(Path(recent[0][0]).parent) if recent else str(Path.home())

    # -- dropping -------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = _dropped(event.mimeData().urls())
        if paths:
            event.acceptProposedAction()
            self.open_paths(paths)

    # -- remembering ----------------------------------------------------------------------------------------------------

    def _recent(self) -> list[list[str]]:
        if not self._remember:
            return []
        try:
            stored = json.loads(str(QSettings().value("recent", "[]")))
        except ValueError:
            return []
        return [list(map(str, paths)) for paths in stored if isinstance(paths, list) and paths]

    def _keep_recent(self, paths: Sequence[Path]) -> None:
        if not self._remember:
            return
        entry = [str(p.resolve()) for p in paths]
        rest = [p for p in self._recent() if p != entry]
        QSettings().setValue("recent", json.dumps([entry, *rest][:RECENT_KEPT]))
        self._show_recent()

    def _show_recent(self) -> None:
        cases = self._recent()
        self.welcome.show_recent(cases)
        self.recent_menu.clear()
        for paths in cases:
            action = self.recent_menu.addAction(recent_title(paths))
            action.triggered.connect(lambda _=False, paths=paths: self.open_paths([Path(p) for p in paths]))
        self.recent_menu.setEnabled(bool(cases))

    def _splitters(self) -> dict[str, QSplitter]:
        return {"across": self.across, "views": self.views, "side": self.views.side, "right": self.right_splitter}

    def _restore(self) -> None:
        if not self._remember:
            return
        settings = QSettings()
        for key, put in (
            ("window/geometry", self.restoreGeometry),
            *((f"window/{name}", splitter.restoreState) for name, splitter in self._splitters().items()),
        ):
            stored = settings.value(key)
            if isinstance(stored, QByteArray):
                put(stored)
        for name, fold in self.folds.items():
            fold.set_open(settings.value(f"window/open/{name}", name != "plan", type=bool))
        for side in ("left", "right"):
            self._column(side).setVisible(settings.value(f"window/{side}", True, type=bool))

    def _keep(self) -> None:
        if not self._remember:
            return
        settings = QSettings()
        if self.views.alone is not None:
            self.views.toggle(self.views.alone)
        settings.setValue("window/geometry", self.saveGeometry())
        for name, splitter in self._splitters().items():
            settings.setValue(f"window/{name}", splitter.saveState())
        for name, fold in self.folds.items():
            settings.setValue(f"window/open/{name}", fold.open or (name == "layers" and self._made_room))
        for side in ("left", "right"):
            settings.setValue(f"window/{side}", not self._column(side).isHidden())
        settings.setValue("theme", theme().name)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.saving.may_leave():
            event.ignore()
            return
        self._keep()
        self.saving.leave()
        self._opening = None
        self.jobs.close()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def sizeHint(self) -> QSize:
        return QSize(1280, 800)


def _begin(request: Request, progress: Progress, hold: bool) -> Any:
    """In a worker: find out what the files hold; hold: a workspace is to be written. pydicom and the readers are imported here, beside the window."""
    paths = list(request.paths)
    share: Callable[[float, str], None] = progress.report
    if request.demo:
        paths = [import_module("reviewer.demo").demo_folder(lambda f, text: progress.report(0.9 * f, text))]

        def share(fraction: float, text: str) -> None:
            progress.report(0.9 + 0.1 * fraction, text)

    return import_module("reviewer.opening").begin(
        paths,
        patient_id=request.patient_id,
        study_uids=request.study_uids,
        progress=share,
        cancelled=progress.cancelled,
        hold=hold,
    )


def _column(name: str, widgets: Sequence[QWidget], width: int, stretch: int) -> QScrollArea:
    """Panels above each other; scrolls where the window is too low for them."""
    inside = QWidget()
    inside.setProperty("role", "panel")
    layout = QVBoxLayout(inside)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for number, widget in enumerate(widgets):
        layout.addWidget(widget, 1 if number == stretch else 0)
    layout.addStretch(0)
    area = QScrollArea()
    area.setObjectName(name)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.setMinimumWidth(width)
    bar = area.verticalScrollBar()
    # The bar takes its room from the views, not from the panels.
    bar.rangeChanged.connect(
        lambda low, high: area.setMinimumWidth(width + (bar.sizeHint().width() if high > low else 0))
    )
    return area


def _named(paths: Sequence[Path]) -> str:
    first = paths[0].resolve().name if paths else "nothing"
    return first if len(paths) < 2 else f"{first} and {len(paths) - 1} more"


def _dropped(urls: Sequence[QUrl]) -> list[Path]:
    return [Path(u.toLocalFile()) for u in urls if u.isLocalFile()]


VIEWS = ("review", *NAMES, "gating")
"""What `reviewer screenshot --view` knows: the whole window, one view alone in it, or Gating mode."""
