"""Structures leave the program: which set, in which form, into which folder; and what became of it.

Nothing is remembered, neither folder nor names. What writes is imported by the job, beside the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Case, StructureSet
from reviewer.errors import ReviewerError
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Job, Jobs, Progress
from ..theme import RHYTHM, Tone, heading, muted, swatch, tint
from ..wording import structure_set_title
from .frame import Foot, framed

WIDTH, HEIGHT = 560, 560


class ExportDialog(QDialog):
    """tell: shows a sentence in the window when something was written."""

    def __init__(
        self, session: Session, jobs: Jobs, tell: Callable[[str], None], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("export")
        self.setWindowTitle("Export")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._jobs, self._tell = session, jobs, tell
        self._job: Job | None = None
        self._pages = QStackedWidget()
        self._pages.addWidget(self._wishes())
        self._pages.addWidget(self._outcome())
        column = framed(self)
        column.addWidget(self._pages, 1)
        column.addLayout(self._foot())
        self.resize(WIDTH, HEIGHT)
        jobs.changed.connect(self._show_progress)
        follow(self, session, self._refresh)
        self._list_sets()

    # -- what is wanted -------------------------------------------------------------------------------------------------

    def _wishes(self) -> QWidget:
        self.sets = QComboBox()
        self.sets.setObjectName("export.set")
        self.sets.setToolTip("Structure set")
        self.sets.currentIndexChanged.connect(self._list_structures)
        self.structures = QListWidget()
        self.structures.setObjectName("export.structures")
        self.structures.setToolTip("Those that are ticked are written")
        self.structures.itemChanged.connect(self._show_state)
        self.approval = muted()
        self.approval.setObjectName("export.approval")
        self.approval.setWordWrap(True)
        rtstruct = QCheckBox("RTSTRUCT")
        rtstruct.setChecked(True)
        rtstruct.setEnabled(False)
        rtstruct.setToolTip("Always: contours that nobody changed byte for byte as they came")
        self.seg = self._box("seg", "DICOM SEG", "A segment for each structure, on the slices of its image")
        self.fractional = self._box(
            "fractional", "filled part of each voxel", "Instead of yes or no: exact to 1/255 of a voxel"
        )
        self.nifti = self._box("nifti", "NIfTI label maps", "On the voxels of the image")
        self.each, self.merged = QRadioButton("one each"), QRadioButton("one for all")
        for name, button in (("each", self.each), ("merged", self.merged)):
            button.setObjectName(f"export.{name}")
        self.each.setChecked(True)
        self.merged.setToolTip("Where structures overlap, the smaller one has the voxel")
        group = QButtonGroup(self)
        group.addButton(self.each)
        group.addButton(self.merged)
        self.anonymise = self._box(
            "anonymise",
            "Without the patient's identity",
            "Images, structures, doses and registrations after the basic profile of DICOM PS3.15. Structures keep names that\n"
            "TG-263 knows. Text burned into pixels and faces in images of a head are not removed.",
        )
        self.folder = QLineEdit()
        self.folder.setObjectName("export.folder")
        self.folder.setPlaceholderText("Folder to write into")
        self.folder.textChanged.connect(self._show_state)
        choose = QPushButton("Choose…")
        choose.setObjectName("export.choose")
        choose.setAutoDefault(False)
        choose.clicked.connect(self._choose)

        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(RHYTHM)
        grid.setVerticalSpacing(RHYTHM)
        grid.setColumnStretch(1, 1)
        grid.addWidget(QLabel("Set"), 0, 0)
        grid.addWidget(self.sets, 0, 1, 1, 2)
        grid.addWidget(self.approval, 1, 1, 1, 2)
        grid.addWidget(self.structures, 2, 0, 1, 3)
        grid.setRowStretch(2, 1)
        grid.addWidget(QLabel("As"), 3, 0)
        grid.addWidget(rtstruct, 3, 1, 1, 2)
        grid.addWidget(self.seg, 4, 1)
        grid.addWidget(self.fractional, 4, 2)
        grid.addWidget(self.nifti, 5, 1)
        maps = QHBoxLayout()
        maps.setSpacing(RHYTHM)
        maps.addWidget(self.each)
        maps.addWidget(self.merged)
        grid.addLayout(maps, 5, 2)
        grid.addWidget(self.anonymise, 6, 1, 1, 2)
        grid.addWidget(QLabel("Into"), 7, 0)
        grid.addWidget(self.folder, 7, 1)
        grid.addWidget(choose, 7, 2)
        return page

    def _box(self, name: str, text: str, tip: str) -> QCheckBox:
        box = QCheckBox(text)
        box.setObjectName(f"export.{name}")
        box.setToolTip(tip)
        box.toggled.connect(self._show_state)
        return box

    def _outcome(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(RHYTHM)
        self.headline = heading("")
        self.headline.setObjectName("export.headline")
        self.report = QPlainTextEdit()
        self.report.setObjectName("export.report")
        self.report.setReadOnly(True)
        column.addWidget(self.headline)
        column.addWidget(self.report, 1)
        return page

    def _foot(self) -> QVBoxLayout:
        self.note = QLabel()
        self.note.setObjectName("export.note")
        self.note.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setObjectName("export.progress")
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        kept = self.bar.sizePolicy()
        kept.setRetainSizeWhenHidden(True)  # else the buttons take its room
        self.bar.setSizePolicy(kept)
        self.bar.hide()
        leaves, does = ("export.cancel", "Cancel", self.reject), ("export.write", "Export", self._export)
        buttons = Foot(self, leaves, does, self.bar)
        self.stop, self.write = buttons.leave, buttons.go
        foot = QVBoxLayout()
        foot.setSpacing(RHYTHM)
        foot.addWidget(self.note)
        foot.addLayout(buttons)
        return foot

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _list_sets(self) -> None:
        shown = self._session.view.structure_set
        for group in self._session.case.structure_sets:
            self.sets.addItem(structure_set_title(group), group.id)
        self.sets.setCurrentIndex(max(self.sets.findData(shown), 0))
        self._list_structures()

    def _list_structures(self) -> None:
        self.structures.blockSignals(True)
        self.structures.clear()
        group = self._group
        for structure in group.structures if group else ():
            item = QListWidgetItem(swatch(structure.colour), structure.name + ("   (empty)" if structure.empty else ""))
            item.setData(Qt.ItemDataRole.UserRole, structure.id)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            self.structures.addItem(item)
        self.structures.blockSignals(False)
        self._show_state()

    @property
    def _group(self) -> StructureSet | None:
        return self._session.case.structure_set(self.sets.currentData())

    def _chosen(self) -> StructureSet | None:
        """The set with the structures that are ticked."""
        group = self._group
        if group is None:
            return None
        rows = [self.structures.item(row) for row in range(self.structures.count())]
        ticked = {r.data(Qt.ItemDataRole.UserRole) for r in rows if r.checkState() == Qt.CheckState.Checked}
        if len(ticked) == len(group.structures):
            return group
        return replace(group, structures=tuple(s for s in group.structures if s.id in ticked))

    def _refusal(self) -> str:
        chosen = self._chosen()
        if chosen is None:
            return "there is no structure set"
        if not chosen.structures:
            return "no structure is ticked"
        return "" if self.folder.text().strip() else "no folder is chosen"

    def _show_state(self) -> None:
        if not hasattr(self, "write"):
            return  # still being built
        working = self._job is not None
        self._pages.setEnabled(not working)
        self.fractional.setEnabled(self.seg.isChecked())
        for button in (self.each, self.merged):
            button.setEnabled(self.nifti.isChecked())
        group, chosen = self._group, self._chosen()
        approved = group is not None and group.approval == "APPROVED"
        self.approval.setVisible(approved)
        self.approval.setText(
            "Approved. It is written as approved while it is what was approved."
            if chosen is group
            else "Approved as a whole: a part of it is written as unapproved."
        )
        refusal = self._refusal()
        self.write.setEnabled(not refusal and not working)
        self.write.setToolTip(f"Not now: {refusal}" if refusal else "No file is ever written over   (Ctrl+Return)")
        self.bar.setVisible(working)

    def _refresh(self, changes: Changes) -> None:
        if changes.opened:
            self.reject()
        elif changes.edited and self._job is None and self._pages.currentIndex() == 0:
            self._list_structures()

    # -- doing it -------------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Export into", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _export(self) -> None:
        chosen = self._chosen()
        if chosen is None or not self.write.isEnabled():
            return
        case, folder = self._session.case, Path(self.folder.text().strip()).expanduser()
        formats = {
            "seg": self.seg.isChecked(),
            "fractional": self.seg.isChecked() and self.fractional.isChecked(),
            "nifti": self.nifti.isChecked(),
            "merged": self.nifti.isChecked() and self.merged.isChecked(),
            "anonymise": self.anonymise.isChecked(),
        }
        self._write_note("")
        self._job = self._jobs.run(
            "Exporting",
            lambda progress: _export(case, chosen, folder, formats, progress),
            self._done,
            self._failed,
            key="export",
        )
        self._show_state()

    def _show_progress(self) -> None:
        if self._job is None:
            return
        if self._job.progress.cancelled():
            self._job = None
            self._write_note("")
            self._show_state()
            return
        self.bar.setValue(round(100 * self._job.progress.fraction))
        self._write_note(self._job.progress.text, "muted")

    def _done(self, exported: Any) -> None:
        """exported: `reviewer.export.Exported`."""
        self._job = None
        self._write_note("")
        self._show_state()
        folder = self.folder.text().strip()
        count = len(exported.files)
        self.headline.setText(f"{count} {'file was' if count == 1 else 'files were'} written")
        single = [f for f in exported.files if f.kind != "DICOM"]
        lines = [f"{f.kind}   {f.path}" for f in single]
        if count > len(single):
            lines.append(f"DICOM   {Path(folder) / 'anonymous'}   {count - len(single)} files")
        if exported.remarks:
            lines += ["", "To know:", *(f"• {remark}" for remark in exported.remarks)]
        self.report.setPlainText("\n".join(lines))
        self._pages.setCurrentIndex(1)
        self.write.hide()
        self.stop.setText("Close")
        self._tell(f"Exported: {count} {'file' if count == 1 else 'files'}")

    def _failed(self, error: Exception) -> None:
        self._job = None
        self._show_state()
        what = str(error) if isinstance(error, ReviewerError) else f"unexpected {type(error).__name__}: {error}"
        self._write_note(f"✗ {what}", "bad")

    def _write_note(self, text: str, tone: Tone = "text") -> None:
        tint(self.note, tone)
        self.note.setText(text)

    def done(self, result: int) -> None:
        """However it ends, nobody waits for the job any more; what it has written so far it takes away."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        super().done(result)


def _export(case: Case, group: StructureSet, folder: Path, formats: dict[str, bool], progress: Progress) -> Any:
    """In a worker."""
    room = import_module("reviewer.export")
    return room.export(
        case, [group], folder, room.Formats(**formats), progress=progress.report, cancelled=progress.cancelled
    )
