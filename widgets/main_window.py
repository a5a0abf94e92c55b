"""`MainWindow`: one window, one case. Puts panels and views in their places; what is heavy is loaded after the first paint."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QSettings, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QMainWindow,
    QMenu,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from reviewer.errors import ReviewerError
from reviewer.scene import ORIENTATIONS
from reviewer.session import Session

from .actions import Actions, SessionCommands, session_commands
from .binding import Changes, follow
from .commands.approving import Approving
from .commands.checking import DoseChecking
from .commands.derived import DerivedCommands
from .commands.drawing import Drawing, drawing_commands
from .commands.gating import GatingPlace
from .commands.managing import StructureManagement
from .commands.opening import Opening
from .commands.operating import CATALOGUE, Operating, operation_commands
from .commands.plans import PlanCommands
from .commands.saving import Saving
from .commands.tool_kinds import KINDS
from .commands.window import WindowCommands
from .jobs import Jobs
from .loading import load
from .numbers import Numbers
from .panels.banner import Banner
from .panels.comparison_place import ComparisonPlace
from .panels.fold import MARGIN, Fold
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
from .theme import icon, styled_once, theme, theme_changed

LEFT_WIDTH, RIGHT_WIDTH, HANDLE = 216, 204, 3
"""Of the panel columns and what parts them, so that the views keep two thirds of 1280 pixels."""

FIRST_STEPS = "Q picks the structure under the cursor · B paints · N nudges · I fills slices between drawn ones · Ctrl+Z takes back · ? all keys"

ROOMY = 960
"""Height in pixels from which on all panels of Contour mode find room."""


class MainWindow(QMainWindow):
    """remember: restore and keep layout, theme and recent cases; a picture for a report does neither.

    painted: the window has been on the screen once; opened: a case is shown, its voxels may still be arriving.
    """

    painted = Signal()
    opened = Signal()

    def __init__(self, session: Session | None = None, remember: bool = True) -> None:
        super().__init__()
        self.setObjectName("main")
        self.setWindowTitle("Reviewer")
        self.setAcceptDrops(True)
        self.session = session or Session()
        self.jobs = Jobs(self)
        self.numbers = Numbers(self.session, self.jobs, self)
        self._remember = remember
        self._painted = False
        self.views_loaded = False
        self._made_room = False
        self.tool = "point"
        self.goals: Any = None
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
        self.derived = DerivedCommands(
            self, self.session, self.jobs, self.status.say, self.strip.tell, self.commands.meant
        )
        self.views = ViewGrid()
        self.management = StructureManagement(
            self,
            self.session,
            self.status.say,
            self.strip.tell,
            lambda structure_id: self.structures.edit_name(structure_id),
            self._structure_under_cursor,
            self.commands.meant,
        )
        self.drawing = Drawing(self.session, self.jobs, self.status.say, self.strip.tell, self)
        self.commands.stroke = self.drawing
        self.drawing.changed.connect(self._drawing_changed)
        self.drawing.resting.connect(self.numbers.foresee)
        self.operating = Operating(self.session, self.jobs, self.drawing, self.status.say, self.strip.tell, self)
        self.operating.changed.connect(self._operation_changed)
        self._operating_on: str | None = None
        self.plans = PlanCommands(self, self.session, self.jobs, self.status.say, self.strip.tell)
        self.checking = DoseChecking(self, self.session, self.jobs, self.status.say)
        self.comparison = ComparisonPlace(self.views, self.session, self.jobs)
        self.gating = GatingPlace(self.session, self.jobs, self.actions_, self.strip.tell)
        self.saving = Saving(
            self, self.session, self.jobs, self.strip, self.status.say, lambda paths: self.open_paths(paths), remember
        )
        self.opening = Opening(
            self, self.session, self.jobs, self.saving, self.strip, self.status.say, self.tell_failure, remember
        )
        self.opening.changed.connect(self._show_page)
        self.opening.opened.connect(self._opened)
        self.status.put(self.saving.state)
        self.approving = Approving(
            self, self.session, self.jobs, self.saving, self.status.say, self.strip.tell, self.gating.traces
        )
        self.window_commands = WindowCommands(self)
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
        menu_button.setMenu(self.window_commands.menu())
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
        self.right_splitter.setSizes([420, 270, 42, 170])
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
        self.status.problems_wanted.connect(self.window_commands.show_problems)
        self.opening.recent_changed.connect(self._show_recent)
        for strip in (self.strip, self.saving.offer):
            strip.left.connect(self._to_pictures)
        theme_changed.connect(self._draw)
        follow(self, self.session, self._refresh)

    def open_paths(self, paths: Sequence[Path], demo: bool = False) -> None:
        """Open files and folders, or the demo case; what was open stays until the new case is there."""
        self.opening.open_paths(paths, demo)

    def _opened(self, opening: Any) -> None:
        """opening: `reviewer.opening.Opening`."""
        self.banner.warn(opening.workspace.doubts if opening.workspace is not None else ())
        if self.focusWidget() in (None, self._menu_button):
            self._to_pictures()
        self.opened.emit()

    def _to_pictures(self) -> None:
        """Keys mean the pictures, and no button looks pressed."""
        if self.views_loaded:
            self._slices()[0].setFocus(Qt.FocusReason.OtherFocusReason)

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
        if self.views_loaded:
            return
        self.views_loaded = True
        slice_view = import_module(".canvas.slice_view", __package__)
        for orientation in ORIENTATIONS:
            view = slice_view.SliceView(self.session, orientation, self.drawing)
            view.setObjectName(f"views.{orientation}")
            view.pointed.connect(self.pointed)
            view.tool_changed.connect(self.use_tool)
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
        self.folds["goals"].put(self.goals, self.goals.tools)
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

    def _place(self, name: str, view: Any) -> None:
        view.maximise_requested.connect(lambda: self.views.toggle(name))
        self.views.put(name, view)

    def pointed(self, what: Any) -> None:
        """what: `canvas.pointed.Pointed`, None outside."""
        if what is None:
            self.status.point("", "")
            return
        x, y, z = what.point_mm
        names = ", ".join(what.structures[:3])
        self.status.point(names, "   ".join(p for p in (what.text, f"{x:.1f}, {y:.1f}, {z:.1f} mm") if p))

    def _structure_under_cursor(self) -> str | None:
        view = next((v for v in self._slices() if v.underMouse()), None)
        return view.structure_under_cursor if view is not None else None

    def use_tool(self, tool: str) -> None:
        """The same tool in all pictures; the one that is in hand, asked for again, is put down."""
        asked = self.sender() not in self._slices()
        self.tool = "point" if asked and tool == self.tool else tool
        if self.tool != "draw":
            self.drawing.take(None)
        for view in self._slices():
            view.set_tool(self.tool)
        self.actions_.refresh()

    def _drawing_changed(self) -> None:
        kind = self.drawing.kind
        self.tool = "draw" if kind is not None else "point" if self.tool == "draw" else self.tool
        for view in self._slices():
            view.set_tool(self.tool)
        self._hint()
        self.actions_.refresh()

    def _operation_changed(self) -> None:
        """Enter and Esc mean an operation from its beginning on, wherever the keyboard was when its key was pressed."""
        began = self.operating.name is not None and self._operating_on is None
        self._operating_on = self.operating.name
        focus = self.focusWidget()
        if began and self.views_loaded and not (focus is not None and self.operations.isAncestorOf(focus)):
            view = next((v for v in self._slices() if v.hasFocus()), self._slices()[0])
            view.setFocus(Qt.FocusReason.OtherFocusReason)
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
        return [self.views[o] for o in ORIENTATIONS] if self.views_loaded else []

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
        self._make_room()
        self._hint()
        self._show_page()
        if contour:
            self._load_tools()

    def _make_room(self) -> None:
        """A low window has no room for everything: while contours are drawn the structures matter more than the layers and the goals."""
        crowded = self.session.view.mode == "contour" and self.height() < ROOMY
        self.folds["goals"].setVisible(not crowded)
        if crowded and self.folds["layers"].open:
            self._made_room = True
            self.folds["layers"].set_open(False)
        elif not crowded and self._made_room:
            self._made_room = False
            self.folds["layers"].set_open(True)

    def _show_page(self) -> None:
        case = self.session.case
        empty = not (case.images or case.structure_sets or case.doses or case.plans or case.cines)
        gating = self.session.view.mode == "gating" and not self.gating.refusal()
        work = self.gating if gating else self.across
        self.pages.setCurrentWidget(work if not empty else self.waiting if self.opening.waiting else self.welcome)
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
        """In the order of the palette."""
        own = self.window_commands
        for command in (
            *self.opening.commands(),
            *self.saving.commands(),
            *self.approving.commands(),
            *own.file_commands(),
            *own.mode_commands(),
        ):
            self.actions_.add(command)
        for command in session_commands(self.commands):
            # Tab moves the focus elsewhere; over the pictures it goes from structure to structure.
            self.actions_.add(command, *((self.views,) if "Tab" in command.keys else ()))
        for command in (
            *drawing_commands(self.session, self.drawing, self.commands),
            *operation_commands(self.session, self.operating, self.drawing),
            *self.management.commands(),
            *self.derived.commands(),
            *self.plans.commands(),
            *self.plans.goal_commands(),
            *self.plans.dose_commands(),
            *self.checking.commands(),
            own.beside_command(),
            self.comparison.command(),
            *self.gating.commands(),
            *own.view_commands(),
        ):
            self.actions_.add(command)

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

    def _show_recent(self) -> None:
        cases = self.opening.recent()
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
        for side, column in (("left", self.left), ("right", self.right)):
            column.setVisible(settings.value(f"window/{side}", True, type=bool))

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
        for side, column in (("left", self.left), ("right", self.right)):
            settings.setValue(f"window/{side}", not column.isHidden())
        settings.setValue("theme", theme().name)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.saving.may_leave():
            event.ignore()
            return
        self._keep()
        self.saving.leave()
        self.opening.leave()
        self.jobs.close()
        super().closeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            QTimer.singleShot(0, self, self.painted.emit)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if (event.oldSize().height() < ROOMY) != (self.height() < ROOMY):
            self._make_room()

    def sizeHint(self) -> QSize:
        return QSize(1280, 800)


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
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it would show nothing of it
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    area.setMinimumWidth(width)
    bar = area.verticalScrollBar()
    # The bar lies over the margin of the panels: were it beside them, the pictures would move under the hand whenever it comes or goes.
    bar.setStyleSheet(f"QScrollBar:vertical {{ width: {MARGIN}px; }} QScrollBar::handle {{ border-radius: 2px; }}")
    bar.parentWidget().raise_()
    bar.rangeChanged.connect(
        lambda low, high: area.setViewportMargins(0, 0, -bar.sizeHint().width() if high > low else 0, 0)
    )
    return area


def _dropped(urls: Sequence[QUrl]) -> list[Path]:
    return [Path(u.toLocalFile()) for u in urls if u.isLocalFile()]


VIEWS = ("review", *NAMES, "gating")
"""What `reviewer screenshot --view` knows: the whole window, one view alone in it, or Gating mode."""
