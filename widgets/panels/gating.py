"""`GatingPanel`: the page of Gating mode. Tracks a target through a cine beside the window, and asks of the track what any rule would have meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QProgressBar,
    QPushButton,
    QSlider,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from reviewer.backends.discovery import Backend, discover
from reviewer.backends.host import run as run_backend
from reviewer.case import Case, Cine
from reviewer.errors import ReviewerError
from reviewer.files import new_file
from reviewer.gating.document import csv_of, json_of
from reviewer.gating.rule import Rule
from reviewer.gating.summary import lines, statements
from reviewer.gating.target import Target, candidates, target_of_polygon, target_of_structure
from reviewer.gating.trace import Timing, Trace, trace_of
from reviewer.gating.tracking import Track, job_of, track_of
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, follow
from ..jobs import Job, Jobs, Progress
from ..theme import RHYTHM, heading, muted
from .gating_picture import Player, Shown
from .gating_plot import GatingPlot
from .layers import ElidedCombo

KEY = "gating"
SIDE_WIDTH = 388
NO_TARGET = "no structure is cut by the plane of this cine: draw a target on a frame"
FILTER = "CSV (*.csv);;JSON (*.json)"


class GatingPanel(QWidget):
    def __init__(
        self, session: Session, jobs: Jobs, actions: Actions, tell: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("gating")
        self._session, self._jobs, self._actions, self._tell = session, jobs, actions, tell
        self._case: Case | None = None
        self._cine: Cine | None = None
        self._drawn: Target | None = None
        self._tracks: dict[str, Track] = {}
        self._troubles: dict[str, str] = {}
        self._running: dict[str, Job] = {}
        self._traces: list[Trace] = []
        self._waits = False

        self.player = Player(actions)
        self.player.moved.connect(self._moved)
        self.player.picture.drawn.connect(self._take_drawn)
        self.plot = GatingPlot()
        self.plot.chosen.connect(self._point_at)
        left = QSplitter(Qt.Orientation.Vertical)
        left.setObjectName("gating.split")
        left.setHandleWidth(3)
        left.setChildrenCollapsible(False)
        left.addWidget(self.player)
        left.addWidget(self.plot)
        left.setStretchFactor(0, 3)
        left.setStretchFactor(1, 2)
        left.setSizes([430, 290])
        row = QHBoxLayout(self)
        row.setContentsMargins(RHYTHM // 2, RHYTHM // 2, RHYTHM // 2, RHYTHM // 2)
        row.setSpacing(RHYTHM)
        row.addWidget(left, 1)
        row.addWidget(self._side())

        self._dirty = QTimer(self)
        self._dirty.setSingleShot(True)
        self._dirty.timeout.connect(self._judge)
        jobs.changed.connect(self._say_progress)
        follow(self, session, self._heard)

    def _side(self) -> QWidget:
        self.cines = self._combo("gating.cine", self._choose_cine)
        self.targets = self._combo("gating.target", lambda _: self._track_anew())
        self.backends = self._combo("gating.backend", lambda _: self._ask())
        self.others = self._combo("gating.other", lambda _: self._ask())
        self.draw_button = QPushButton("Draw")
        self.draw_button.setObjectName("gating.draw")
        self.draw_button.setToolTip("Draw the target on the frame that is shown: click its corners")
        self.draw_button.clicked.connect(lambda: (self.player.pause(), self.player.picture.draw(True)))
        self.here = QCheckBox("on the frame shown")
        self.here.setObjectName("gating.here")
        self.here.setToolTip(
            "The target lies right on the frame that is shown now.\nOff: the frame most like the image that it was drawn on"
        )
        self.here.clicked.connect(lambda: self._track_anew())
        self.margin, self._margin_slider = self._figure("gating.margin", 0.0, 15.0, 0.5, 3.0, " mm")
        self.share, self._share_slider = self._figure("gating.share", 0.5, 50.0, 0.5, 5.0, " %")
        self.latency, self._latency_slider = self._figure("gating.latency", 0.0, 1000.0, 10.0, 0.0, " ms")
        self.horizon, self._horizon_slider = self._figure("gating.horizon", 0.0, 1000.0, 10.0, 0.0, " ms")
        form = QGridLayout()
        form.setHorizontalSpacing(RHYTHM)
        form.setVerticalSpacing(RHYTHM // 2)
        form.setColumnStretch(1, 1)
        for n, (text, widget, extra) in enumerate(
            (
                ("Cine", self.cines, None),
                ("Target", self.targets, self.draw_button),
                ("", self.here, None),
                ("Backend", self.backends, None),
                ("Compare", self.others, None),
                ("Margin", self._margin_slider, self.margin),
                ("Outside", self._share_slider, self.share),
                ("Latency", self._latency_slider, self.latency),
                ("Prediction", self._horizon_slider, self.horizon),
            )
        ):
            label = QLabel(text)
            form.addWidget(label, n, 0)
            form.addWidget(widget, n, 1, 1, 1 if extra is not None else 2)
            if extra is not None:
                form.addWidget(extra, n, 2)
        tips = (
            (self._margin_slider, self.margin, "Target to boundary, in the plane (Bordeau 2023: 3 mm)"),
            (self._share_slider, self.share, "The beam is held at this share of the target's area outside, and above (Bordeau 2023: 5 %)"),
            (self._latency_slider, self.latency, "From a frame to when the beam obeys what was decided on it"),
            (self._horizon_slider, self.horizon, "Decide on where the target will be so much later, by a straight line"),
        )  # fmt: skip
        for slider, field, tip in tips:
            slider.setToolTip(tip)
            field.setToolTip(tip)

        self.progress = QProgressBar()
        self.progress.setObjectName("gating.progress")
        self.progress.setRange(0, 100)
        self.progress.setFixedHeight(2 * RHYTHM)
        self.cancel_button = QPushButton("Cancel")
        self.cancel_button.setObjectName("gating.cancel")
        self.cancel_button.clicked.connect(self._cancel)
        self.track_button = QPushButton("Track")
        self.track_button.setObjectName("gating.trackButton")
        self.track_button.clicked.connect(lambda: self._actions.trigger("gating.track"))
        self.export_button = QPushButton("Export…")
        self.export_button.setObjectName("gating.exportButton")
        self.export_button.clicked.connect(lambda: self._actions.trigger("gating.export"))
        work = QHBoxLayout()
        work.addWidget(self.track_button)
        work.addWidget(self.progress, 1)
        work.addWidget(self.cancel_button)
        work.addStretch(0)
        work.addWidget(self.export_button)

        self.message = QLabel()
        self.message.setObjectName("gating.message")
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        self.table = QTableWidget(0, 2)
        self.table.setObjectName("gating.figures")
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setShowGrid(False)
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setStyleSheet(
            "QTableCornerButton::section, QHeaderView:vertical, QHeaderView::section:vertical { background: transparent; border: 0; }"
        )
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.statements = QLabel()
        self.statements.setObjectName("gating.statements")
        self.statements.setWordWrap(True)
        self.statements.setTextFormat(Qt.TextFormat.PlainText)
        self.statements.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        side = QWidget()
        side.setProperty("role", "panel")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setFixedWidth(SIDE_WIDTH)
        column = QVBoxLayout(side)
        column.setContentsMargins(RHYTHM, RHYTHM, RHYTHM, RHYTHM)
        column.setSpacing(RHYTHM)
        column.addWidget(heading("Gating"))
        column.addLayout(form)
        column.addLayout(work)
        column.addWidget(self.message)
        column.addWidget(self.table, 1)
        column.addWidget(muted("What the result stands on"))
        column.addWidget(self.statements)
        return side

    def _combo(self, name: str, chosen: Callable[[int], None]) -> ElidedCombo:
        combo = ElidedCombo()
        combo.setObjectName(name)
        combo.activated.connect(chosen)
        return combo

    def _figure(
        self, name: str, low: float, high: float, step: float, value: float, unit: str
    ) -> tuple[QDoubleSpinBox, QSlider]:
        """A number as a field and as a slider."""
        field, slider = QDoubleSpinBox(), QSlider(Qt.Orientation.Horizontal)
        field.setObjectName(name)
        slider.setObjectName(f"{name}.slider")
        field.setDecimals(0 if step >= 1 else 1)
        field.setRange(low, high)
        field.setSingleStep(step)
        field.setSuffix(unit)
        field.setFixedWidth(86)
        slider.setRange(round(low / step), round(high / step))
        field.setValue(value)
        slider.setValue(round(value / step))

        def typed(number: float) -> None:
            with QSignalBlocker(slider):
                slider.setValue(round(number / step))
            self._dirty.start(0)

        slider.valueChanged.connect(lambda position: field.setValue(position * step))
        field.valueChanged.connect(typed)
        return field, slider

    # -- what there is --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The mode is shown: take up the case if it is another one, or its contours have changed."""
        case = self._session.case
        if case is self._case:
            return
        cine = self._cine
        self._case = case
        found = discover()
        trackers = [b for b in found.backends if b.kind == "gating"]
        for combo, none in ((self.backends, False), (self.others, True)):
            kept = combo.currentData()
            combo.clear()
            if none:
                combo.addItem("with no other", None)
            for backend in sorted(trackers, key=lambda b: b.name != "template"):
                combo.addItem(backend.name, backend)
            combo.setCurrentIndex(max(0, next((i for i in range(combo.count()) if combo.itemData(i) == kept), 0)))
        self.cines.clear()
        for each in case.cines:
            self.cines.addItem(f"{each.description or each.modality} · {len(each.frames)} frames", each)
        at = next((i for i, each in enumerate(case.cines) if each is cine), 0)
        self.cines.setCurrentIndex(at)
        self._choose_cine(at, same=cine is not None and at < len(case.cines) and case.cines[at] is cine)

    def leave(self) -> None:
        """The mode is left: nothing plays on unseen."""
        self.player.pause()

    def _choose_cine(self, row: int, same: bool = False) -> None:
        self._cine = self.cines.itemData(row)
        if not same:
            self.player.show_cine(self._cine)
            self._drawn = None
        kept = self.targets.currentText()
        self.targets.clear()
        if self._cine is not None and self._case is not None:
            if self._drawn is not None:
                self.targets.addItem(self._drawn.name, self._drawn)
            for structure, refusal in candidates(self._case, self._cine):
                self.targets.addItem(structure.name, structure.id)
                if refusal:
                    item = self.targets.model().item(self.targets.count() - 1)  # type: ignore[attr-defined]
                    item.setEnabled(False)
                    item.setToolTip(refusal)
        usable = [i for i in range(self.targets.count()) if self.targets.model().item(i).isEnabled()]  # type: ignore[attr-defined]
        again = [i for i in usable if same and self.targets.itemText(i) == kept]
        self.targets.setCurrentIndex((again or usable or [-1])[0])
        self._track_anew()

    def _heard(self, changes: Changes) -> None:
        if not self.isVisible():
            return
        self.start()
        if self._waits and not self._pending():
            self._ask()

    def _pending(self) -> bool:
        """Whether the image that the target was drawn on is still being read: the frame that fits is not known before."""
        case, chosen = self._session.case, self.targets.currentData()
        structure = case.structure(chosen) if isinstance(chosen, str) else None
        image = case.image(structure.image_id) if structure is not None else None
        return image is not None and not image.complete and any(job.key == "voxels" for job in self._jobs.running)

    # -- tracking -------------------------------------------------------------------------------------------------------

    def refusal(self) -> str:
        if self._cine is None:
            return "there is no cine"
        return NO_TARGET if self.targets.currentIndex() < 0 else ""

    def track(self) -> None:
        self._track_anew()

    def _track_anew(self) -> None:
        self._drop()
        self._tracks.clear()
        self._troubles.clear()
        self._ask()

    def _asked(self) -> list[Backend]:
        first, second = self.backends.currentData(), self.others.currentData()
        return [b for b in dict.fromkeys((first, second)) if b is not None]

    def _ask(self) -> None:
        """Track with those backends that are asked for and have not been asked yet."""
        self._waits = False
        case, cine, chosen = self._case, self._cine, self.targets.currentData()
        if case is not None and cine is not None and not self.refusal():
            if not self.here.isChecked() and self._pending():
                self._waits = True
            else:
                for backend in self._asked():
                    if backend.name not in self._tracks | self._running | self._troubles:
                        reference = self.player.frame if self.here.isChecked() else None
                        self._begin(case, cine, chosen, reference, backend)
        self._judge()

    def _begin(self, case: Case, cine: Cine, chosen: object, reference: int | None, backend: Backend) -> None:
        def work(progress: Progress) -> Track:
            if isinstance(chosen, Target):
                target = chosen
            else:
                structure = case.structure(str(chosen))
                assert structure is not None
                target = target_of_structure(case, cine, structure, reference)
            answer = run_backend(backend, job_of(cine, target), progress.report, progress.cancelled)
            return track_of(cine, target, answer.result, answer.provenance)

        def done(track: Track) -> None:
            self._running.pop(backend.name, None)
            self._tracks[backend.name] = track
            self._judge()

        def failed(error: Exception) -> None:
            self._running.pop(backend.name, None)
            kind = "" if isinstance(error, ReviewerError) else f"unexpected {type(error).__name__}: "
            self._troubles[backend.name] = f"{kind}{error}"
            self._judge()

        self._running[backend.name] = self._jobs.run(
            f"Tracking with {backend.name}", work, done, failed, key=f"{KEY}.{backend.name}"
        )

    def _drop(self) -> None:
        for job in self._running.values():
            job.cancel()
        self._running.clear()

    def _cancel(self) -> None:
        for name in self._running:
            self._troubles[name] = "cancelled"
        self._drop()
        self._judge()

    def _take_drawn(self, corners: list[tuple[float, float]]) -> None:
        if self._cine is None or not corners:
            return
        try:
            self._drawn = target_of_polygon(
                self._cine, corners, self.player.frame, f"drawn on frame {self.player.frame}"
            )
        except ReviewerError as error:
            self._tell(str(error))
            return
        if isinstance(self.targets.itemData(0), Target):
            self.targets.removeItem(0)
        self.targets.insertItem(0, self._drawn.name, self._drawn)
        self.targets.setCurrentIndex(0)
        self._track_anew()

    # -- showing --------------------------------------------------------------------------------------------------------

    @property
    def traces(self) -> list[Trace]:
        """Of the backends asked for, as far as they have answered."""
        return self._traces

    def stands_for(self, case: Case) -> bool:
        """Whether what was tracked is of this case: its cine, and the target as it is there now."""
        if self._case is None or not any(cine is self._cine for cine in case.cines):
            return False
        chosen = self.targets.currentData()
        return isinstance(chosen, Target) or case.structure(chosen) is self._case.structure(chosen)

    def _judge(self) -> None:
        """The traces under the rule that the fields say. Nothing is tracked again."""
        rule = Rule(self.margin.value(), self.share.value())
        timing = Timing(self.latency.value() / 1000, self.horizon.value() / 1000)
        asked = [b.name for b in self._asked()]
        self._traces = [trace_of(self._tracks[name], rule, timing) for name in asked if name in self._tracks]
        self.plot.show_traces(self._traces)
        self.player.picture.show_traces(tuple(Shown(t, dashed=n > 0) for n, t in enumerate(self._traces)))
        names = [name for name in asked if name in self._tracks]
        self._fill(names)
        self.statements.setText("\n".join(f"· {line}" for line in statements(self._traces)))
        self._say_progress()
        self._actions.refresh()

    def _fill(self, names: list[str]) -> None:
        rows = lines(self._traces)
        self.table.setVisible(bool(self._traces))
        self.table.setColumnCount(max(1, len(names)))
        self.table.setHorizontalHeaderLabels(names)
        self.table.setRowCount(len(rows))
        for n, line in enumerate(rows):
            head = QTableWidgetItem(line.name)
            head.setToolTip(line.meaning)
            self.table.setVerticalHeaderItem(n, head)
            for column, value in enumerate(line.values):
                cell = QTableWidgetItem(value)
                cell.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                cell.setToolTip(line.meaning)
                self.table.setItem(n, column, cell)

    def _say_progress(self) -> None:
        for name in [n for n, job in self._running.items() if job.progress.cancelled()]:
            del self._running[name]  # somebody has cancelled it elsewhere
            self._troubles[name] = "cancelled"
        working = bool(self._running)
        self.progress.setVisible(working)
        self.cancel_button.setVisible(working)
        if working:
            parts = [job.progress.fraction for job in self._running.values()]
            self.progress.setValue(round(100 * sum(parts) / len(parts)))
        asked = [b.name for b in self._asked()]
        troubles = [f"⚠ {name}: {self._troubles[name]}" for name in asked if name in self._troubles]
        text = "\n".join(troubles)
        if self.refusal():
            text = self.refusal()
        elif not asked:
            text = "no gating backend is installed"
        elif self._waits:
            text = "waiting for the image that the target was drawn on"
        elif working and not self._traces:
            text = "tracking …"
        self.message.setText(text)
        self.message.setVisible(bool(text))

    def _moved(self, frame: int) -> None:
        if self._cine is not None:
            self.plot.point(float(self._cine.times_s[frame]))

    def _point_at(self, time_s: float) -> None:
        if self._cine is not None:
            times = self._cine.times_s
            self.player.go(int(abs(times - time_s).argmin()))

    def export(self) -> None:
        """Ask for a file and write the traces of all backends that have answered."""
        file, kind = QFileDialog.getSaveFileName(
            self, "Export the trace", "gating.csv", FILTER, options=QFileDialog.Option.DontConfirmOverwrite
        )
        if file:
            path = Path(file)
            self.write(path if path.suffix else path.with_suffix(".json" if "json" in kind else ".csv"))

    def write(self, path: Path) -> None:
        """As JSON where the name ends so, else as CSV; never over a file that is there."""
        try:
            with new_file(path) as part:
                text = json_of(self._traces) if path.suffix.lower() == ".json" else csv_of(self._traces)
                part.write_text(text, encoding="utf-8")
        except ReviewerError as error:
            self._tell(str(error))
