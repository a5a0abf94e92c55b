"""The independent dose check: a backend computes the dose of a plan anew, and what it says of itself stands above what came of it.

The window goes on meanwhile, whatever becomes of the backend.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from reviewer.backends.contract import Value
from reviewer.backends.discovery import Backend, Broken
from reviewer.backends.host import BackendError, Description
from reviewer.case import Dose, Image, StructureSet
from reviewer.errors import ReviewerError
from reviewer.session import Session, structure_set_of

from ..binding import Changes, follow
from ..commands.checking import checkable
from ..jobs import Job, Jobs
from ..loading import load
from ..panels.layers import ElidedCombo
from ..theme import RHYTHM, Tone, heading, muted, tint
from ..wording import dose_title, structure_set_title
from .backend_settings import BackendSettings
from .dose_check_tables import BulkTable, FigureTable
from .frame import Foot, framed

WIDTH, HEIGHT = 900, 640
LEFT = 360
KEY, ASK_KEY, MAP_KEY = "dose check", "dose check backends", "dose check density"
FIRST = "pencil-beam"
"""Offered first where it is installed."""

BEFORE = (
    "Another engine computes the dose of the plan anew. Its statements, the gamma index against the plan's dose and the differences in "
    "targets and organs will stand here.\n\nA second opinion from another model: agreement does not show that the plan is safe, and a "
    "deviation does not show that it is wrong."
)


class DoseCheckDialog(QDialog):
    """tell: shows a sentence in the window when a dose was computed."""

    def __init__(
        self, session: Session, jobs: Jobs, tell: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("dose_check")
        self.setWindowTitle("Dose check")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._jobs, self._tell = session, jobs, tell
        self._work = load(".dose_check_work", __package__)
        self._job: Job | None = None
        self._mapping: Job | None = None
        self._asked: list[Job] = []
        self._descriptions: dict[str, Description] = {}
        self._kept: dict[str, dict[str, Value]] = {}
        self._shown_settings: str | None = None
        self._result: str | None = None
        body = QHBoxLayout()
        body.setSpacing(2 * RHYTHM)
        body.addWidget(self._choices())
        body.addWidget(self._outcome(), 1)
        column = framed(self)
        column.addLayout(body, 1)
        column.addLayout(self._foot())
        self.resize(WIDTH, HEIGHT)
        jobs.changed.connect(self._show_progress)
        follow(self, session, self._heard)
        self._list_doses()
        self._ask_backends()

    # -- what is wanted -------------------------------------------------------------------------------------------------

    def _choices(self) -> QWidget:
        self.backends = _combo("dose_check.backend", self._choose_backend)
        self.facts = muted()
        self.facts.setObjectName("dose_check.facts")
        self.facts.setWordWrap(True)
        self.doses = _combo("dose_check.dose", self._choose_dose)
        self.doses.setToolTip("The plan's own dose, which the check is compared with")
        self.sets = _combo("dose_check.set", self._choose_set)
        self.sets.setToolTip("The anatomy that is computed on: structures and the image that they were drawn on")
        self.sources = _combo("dose_check.source", self._choose_source)
        self.densities = BulkTable()
        self.scales = _combo("dose_check.scale", lambda: None)
        self.scales.setToolTip(
            "A beam that is not calibrated to the machine: compare the distribution, not the monitor units"
        )
        self.show_map = QPushButton("Show the density map")
        self.show_map.setObjectName("dose_check.map")
        self.show_map.setAutoDefault(False)
        self.show_map.setToolTip(
            "As an overlay over the image of this anatomy: look whether bones, lungs and gas are right"
        )
        self.show_map.clicked.connect(self._make_map)
        self.remove_map = QPushButton("Remove it")
        self.remove_map.setObjectName("dose_check.remove_map")
        self.remove_map.setAutoDefault(False)
        self.remove_map.setToolTip("The density map of this anatomy, out of the case")
        self.remove_map.clicked.connect(self._take_map)
        maps = QHBoxLayout()
        maps.setSpacing(RHYTHM)
        maps.addWidget(self.show_map, 1)
        maps.addWidget(self.remove_map)
        self.isocentre = QLineEdit()
        self.isocentre.setObjectName("dose_check.isocentre")
        self.isocentre.setPlaceholderText("of the plan")
        self.isocentre.setToolTip(
            "Where the beams meet on this anatomy: x, y, z in mm (LPS) of its frame.\n"
            "Empty: the plan's own, by the registration where the frames differ"
        )
        self.isocentre.textChanged.connect(lambda: self._show_state())
        self.settings = BackendSettings("dose_check.settings")
        grid = QGridLayout()
        grid.setHorizontalSpacing(RHYTHM)
        grid.setVerticalSpacing(RHYTHM // 2)
        grid.setColumnStretch(1, 1)
        for row, (name, widget) in enumerate(
            (
                ("Engine", self.backends),
                ("", self.facts),
                ("Dose", self.doses),
                ("Anatomy", self.sets),
                ("Isocentre", self.isocentre),
                ("Scale", self.scales),
                ("Density", self.sources),
            )
        ):
            grid.addWidget(muted(name), row, 0)
            grid.addWidget(widget, row, 1)
        inside = QWidget()
        inside.setProperty("role", "panel")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, RHYTHM // 2, 0)
        column.setSpacing(RHYTHM)
        column.addLayout(grid)
        column.addWidget(self.densities, 1)
        column.addLayout(maps)
        column.addWidget(heading("Settings of the engine"))
        column.addWidget(self.settings)
        self.densities.setMinimumHeight(150)
        self._left = QScrollArea()
        self._left.setWidgetResizable(True)
        self._left.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._left.setWidget(inside)
        self._left.setFixedWidth(LEFT)
        return self._left

    def _outcome(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(RHYTHM)
        self.headline = heading("")
        self.headline.setObjectName("dose_check.headline")
        self.headline.setWordWrap(True)
        self.statements = QLabel(BEFORE)
        self.statements.setObjectName("dose_check.statements")
        self.statements.setWordWrap(True)
        self.statements.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.gamma = QLabel()
        self.gamma.setObjectName("dose_check.gamma")
        self.gamma.setWordWrap(True)
        self.figures = FigureTable()
        self.trouble = QPlainTextEdit()
        self.trouble.setObjectName("dose_check.trouble")
        self.trouble.setReadOnly(True)
        self.trouble.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.remove = QPushButton("Remove this dose")
        self.remove.setObjectName("dose_check.remove")
        self.remove.setAutoDefault(False)
        self.remove.setToolTip("Out of the case; the files know nothing of it")
        self.remove.clicked.connect(self._remove)
        self.compare = QPushButton("Show beside the plan's dose")
        self.compare.setObjectName("dose_check.compare")
        self.compare.setAutoDefault(False)
        self.compare.setToolTip(
            "Both as columns of the goals; difference and gamma map (U, Shift+U) are then those of the two"
        )
        self.compare.clicked.connect(self._compare)
        buttons = QHBoxLayout()
        buttons.setSpacing(RHYTHM)
        buttons.addWidget(self.compare)
        buttons.addWidget(self.remove)
        buttons.addStretch(1)
        column.addWidget(self.headline)
        column.addWidget(self.statements)
        column.addWidget(self.gamma)
        column.addWidget(self.figures, 1)
        column.addWidget(self.trouble, 1)
        column.addLayout(buttons)
        column.addStretch(0)
        for widget in (self.gamma, self.figures, self.trouble, self.remove, self.compare):
            widget.hide()
        return page

    def _foot(self) -> Foot:
        self.note = muted()
        self.note.setObjectName("dose_check.note")
        self.bar = QProgressBar()
        self.bar.setObjectName("dose_check.progress")
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(160)
        self.bar.hide()
        leaves, does = ("dose_check.cancel", "Close", self._stop), ("dose_check.compute", "Compute", self.run)
        foot = Foot(self, leaves, does, self.bar, self.note)
        self.stop, self.compute = foot.leave, foot.go
        return foot

    # -- engines --------------------------------------------------------------------------------------------------------

    def _ask_backends(self) -> None:
        """Each is asked in its own process who it is; until then only its name is known."""
        found = self._work.found()
        with QSignalBlocker(self.backends):
            for backend in sorted(found.backends, key=lambda b: (b.name != FIRST, b.name)):
                self.backends.addItem(backend.name, backend)
            for broken in found.broken:
                self.backends.addItem(broken.name, broken)
                self._grey(self.backends.count() - 1, broken.reason)
        for backend in found.backends:
            asked = self._jobs.run(
                f"Asking {backend.name}",
                lambda progress, backend=backend: self._work.said(backend),  # type: ignore[misc]
                lambda said, backend=backend: self._described(backend, said),  # type: ignore[misc]
                lambda error, backend=backend: self._mute(backend, error),  # type: ignore[misc]
                key=f"{ASK_KEY} {backend.name}",
            )
            self._asked.append(asked)
        self._choose_backend()

    def _described(self, backend: Backend, said: Description) -> None:
        self._descriptions[backend.name] = said
        row = self._row(backend)
        info = said.info
        self.backends.setItemText(row, info.title)
        self.backends.setItemData(row, f"{info.title} {info.version}, {info.licence}", Qt.ItemDataRole.ToolTipRole)
        if said.reason is not None:
            self._grey(row, said.reason)
        self._choose_backend()

    def _mute(self, backend: Backend, error: Exception) -> None:
        self._grey(self._row(backend), str(error))
        self._choose_backend()

    def _row(self, backend: Backend) -> int:
        rows = range(self.backends.count())
        return next(row for row in rows if self.backends.itemData(row) == backend)

    def _grey(self, row: int, reason: str) -> None:
        self.backends.model().item(row).setEnabled(False)  # type: ignore[attr-defined]
        self.backends.setItemData(row, f"Not now: {reason}", Qt.ItemDataRole.ToolTipRole)
        if row == self.backends.currentIndex():
            rows = range(self.backends.count())
            usable = next((r for r in rows if self.backends.model().item(r).isEnabled()), row)  # type: ignore[attr-defined]
            self.backends.setCurrentIndex(usable)

    def _choose_backend(self) -> None:
        backend = self.backends.currentData()
        said = self._descriptions.get(backend.name) if isinstance(backend, Backend) else None
        if self._shown_settings is not None:
            self._kept[self._shown_settings] = self.settings.values
        if said is not None and isinstance(backend, Backend):
            info = said.info
            self.facts.setText(f"{info.version} · {info.licence} · {backend.origin}")
            self.settings.show_settings(said.settings, self._kept.get(backend.name))
            self._shown_settings = backend.name
        else:
            self.facts.setText("…" if isinstance(backend, Backend) else "")
            self.settings.show_settings(())
            self._shown_settings = None
        self._show_state()

    # -- what is computed -----------------------------------------------------------------------------------------------

    def _list_doses(self) -> None:
        case = self._session.case
        found = checkable(case)
        with QSignalBlocker(self.doses):
            self.doses.clear()
            for dose in found:
                self.doses.addItem(dose_title(dose, case.plan(dose.plan_id)), dose.id)
            self.doses.setCurrentIndex(max(0, self.doses.findData(self._session.view.dose)))
        self._choose_dose()

    @property
    def _dose(self) -> Dose | None:
        return self._session.case.dose(self.doses.currentData())

    @property
    def _group(self) -> StructureSet | None:
        return self._session.case.structure_set(self.sets.currentData())

    def _choose_dose(self) -> None:
        """Its own anatomy is proposed; all in its frame of reference, or registered to it, can be chosen, too."""
        case, dose = self._session.case, self._dose
        with QSignalBlocker(self.sets):
            self.sets.clear()
            own = structure_set_of(case, dose) if dose is not None else None
            for group in case.structure_sets if dose is not None else ():
                self.sets.addItem(structure_set_title(group), group.id)
                if dose is not None and not self._work.tied(case, group, dose):
                    row = self.sets.count() - 1
                    self.sets.model().item(row).setEnabled(False)  # type: ignore[attr-defined]
                    reason = "Not now: it lies in another frame, and no registration leads there from the dose's"
                    self.sets.setItemData(row, reason, Qt.ItemDataRole.ToolTipRole)
            usable = [r for r in range(self.sets.count()) if self.sets.model().item(r).isEnabled()]  # type: ignore[attr-defined]
            at = self.sets.findData(own.id) if own is not None else -1
            self.sets.setCurrentIndex(at if at in usable else (usable or [-1])[0])
        self._choose_set()

    def _choose_set(self) -> None:
        group = self._group
        with QSignalBlocker(self.scales):
            self.scales.clear()
            self.scales.addItem("by monitor units", None)
            for structure in group.structures if group is not None else ():
                if structure.type in self._work.TARGETS and not structure.empty:
                    self.scales.addItem(f"to the planned mean dose of {structure.name}", structure.id)
        with QSignalBlocker(self.sources):
            self.sources.clear()
            for source in self._work.sources(self._session.case, group) if group is not None else ():
                self.sources.addItem(source.label, source)
                row = self.sources.count() - 1
                tip = f"Not now: {source.refusal}" if source.refusal else source.tip
                self.sources.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
                self.sources.model().item(row).setEnabled(not source.refusal)  # type: ignore[attr-defined]
            usable = [r for r in range(self.sources.count()) if self.sources.model().item(r).isEnabled()]  # type: ignore[attr-defined]
            self.sources.setCurrentIndex((usable or [-1])[0])
        self._choose_source()

    def _choose_source(self) -> None:
        group, source = self._group, self.sources.currentData()
        rows = () if group is None or source is None else self._work.bulk_rows(group, source)
        self.densities.show_rows(rows)
        self._show_state()

    def _refusal(self) -> str:
        if self._job is not None:
            return "it is at work"
        backend = self.backends.currentData()
        if backend is None or isinstance(backend, Broken):
            return "no engine is installed"
        said = self._descriptions.get(backend.name)
        if said is None:
            return "the engine has not said yet who it is"
        if said.reason is not None:
            return said.reason
        if self._dose is None:
            return "there is no dose of a plan whose beams are known"
        if self._group is None:
            return "no structures lie in the frame of this dose, or are registered to it"
        try:
            self._work.isocentre_of(self.isocentre.text())
        except ValueError as error:
            return str(error)
        return "" if self.sources.currentData() is not None else "nothing says how dense the anatomy is"

    def _show_state(self) -> None:
        if not hasattr(self, "compute"):
            return  # still being built
        refusal = self._refusal()
        self.compute.setEnabled(not refusal)
        self.compute.setToolTip(f"Not now: {refusal}" if refusal else "In a process of its own   (Ctrl+Return)")
        self._left.setEnabled(self._job is None)
        self.stop.setText("Cancel" if self._job is not None else "Close")
        self.bar.setVisible(self._job is not None)
        self.show_map.setEnabled(
            self._group is not None and self.sources.currentData() is not None and not self._mapping
        )
        shown = self._group is not None and self._session.case.image(self._work.map_id(self._group)) is not None
        self.remove_map.setEnabled(shown)

    # -- doing it -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """With what is chosen."""
        dose, group, backend = self._dose, self._group, self.backends.currentData()
        if self._refusal() or dose is None or group is None:
            return
        wish = self._work.Wish(
            self._session.case,
            dose,
            group,
            self.sources.currentData(),
            self.densities.densities,
            backend,
            self.settings.values,
            self.scales.currentData(),
            self._work.isocentre_of(self.isocentre.text()),
        )
        self._clear()
        self._job = self._jobs.run(
            f"Dose check with {self.backends.currentText()}",
            lambda progress: self._work.check(wish, progress),
            self._done,
            self._failed,
            key=KEY,
        )
        self._show_state()

    def _show_progress(self) -> None:
        if self._job is None:
            return
        if self._job.progress.cancelled():
            self._job = None
            self.note.setText("cancelled")
            self._show_state()
            return
        self.bar.setValue(round(1000 * self._job.progress.fraction))
        self.note.setText(self._job.progress.text)

    def _done(self, checked: object) -> None:
        """checked: `dose_check_work.Checked`."""
        self._job = None
        self.note.setText("")
        assert isinstance(checked, self._work.Checked)
        self._session.put_dose(checked.dose)
        self._result = checked.dose.id
        self._session.look(dose=checked.dose.id)
        self.headline.setText(checked.dose.label)
        self._say(self.statements, "\n".join(f"⚠ {line}" for line in checked.dose.statements), "caution")
        self.gamma.setText(checked.gamma)
        self.gamma.setToolTip(checked.provenance)
        group = self._group
        colours = {s.name: s.colour for s in group.structures} if group is not None else {}
        self.figures.show_rows(checked.figures, colours)
        for widget in (self.gamma, self.figures, self.remove, self.compare):
            widget.show()
        self._tell(f"Computed: {checked.dose.label}")
        self._show_state()

    def _failed(self, error: Exception) -> None:
        """The sentence, then the last lines of the backend for those who want to know more."""
        self._job = None
        self.note.setText("")
        kind = "" if isinstance(error, ReviewerError) else f"unexpected {type(error).__name__}: "
        self._say(self.statements, f"✗ {kind}{error}", "bad")
        lines = error.lines if isinstance(error, BackendError) else ()
        self.trouble.setPlainText("\n".join(lines))
        self.trouble.setVisible(bool(lines))
        self._show_state()

    def _clear(self) -> None:
        self._result = None
        self.headline.setText("")
        self._say(self.statements, "", "text")
        for widget in (self.gamma, self.figures, self.trouble, self.remove, self.compare):
            widget.hide()

    def _say(self, label: QLabel, text: str, tone: Tone) -> None:
        tint(label, tone)
        label.setText(text)

    def _compare(self) -> None:
        """The check and the plan's dose as columns, on the anatomy that was computed on."""
        result, dose, group = self._session.case.dose(self._result), self._dose, self._group
        if result is not None and dose is not None and group is not None:
            self._session.look(columns=self._work.columns(dose, result, group), dose=result.id)

    def _remove(self) -> None:
        if self._result is not None and self._session.made(self._result):
            self._session.take_dose(self._result)
        self._clear()
        self._say(self.statements, BEFORE, "text")

    def _make_map(self) -> None:
        group, source = self._group, self.sources.currentData()
        if group is None or source is None:
            return
        case, densities = self._session.case, self.densities.densities

        def done(image: Image) -> None:
            self._mapping = None
            self._session.put_image(image)
            base = group.image_id if case.image(group.image_id) is not None else None
            self._session.look(**({"base": base} if base else {}), overlay=image.id, overlay_on=True, style="blend")
            self._show_state()

        def failed(error: Exception) -> None:
            self._mapping = None
            self._failed(error)

        self._mapping = self._jobs.run(
            "Density map",
            lambda progress: self._work.density_image(case, group, source, densities),
            done,
            failed,
            key=MAP_KEY,
        )
        self._show_state()

    def _take_map(self) -> None:
        if self._group is not None:
            self._session.take_image(self._work.map_id(self._group))
        self._show_state()

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _heard(self, changes: Changes) -> None:
        if changes.opened:
            self.reject()
            return
        if self._result is not None and self._session.case.dose(self._result) is None:
            self._result = None
            for widget in (self.remove, self.compare):
                widget.hide()
        self._show_state()

    def _stop(self) -> None:
        """Cancel what is at work, else close."""
        if self._job is None:
            self.reject()
        else:
            self._jobs.cancel(KEY)

    def done(self, result: int) -> None:
        """However it ends, nobody waits for its jobs any more."""
        for job in (self._job, self._mapping, *self._asked):
            if job is not None:
                job.cancel()
        self._job = self._mapping = None
        super().done(result)


def _combo(name: str, chosen: Callable[[], None]) -> ElidedCombo:
    combo = ElidedCombo()
    combo.setObjectName(name)
    combo.currentIndexChanged.connect(lambda: chosen())
    return combo
