"""Several patients in one folder: the user chooses. Loaded when that happens, for it knows the reader."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from reviewer.opening import Candidate, Study

from ..theme import RHYTHM
from ..wording import patient_facts, patient_name


class ChooseDialog(QDialog):
    """A tree of patients and their studies; one patient is chosen, and of that patient the studies that are ticked.

    chosen: patient id and list of study UIDs, empty for all.
    """

    chosen = Signal(str, list)

    def __init__(self, candidates: Sequence[Candidate], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("choose")
        self.setWindowTitle("Choose a patient")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(600, 380)
        text = QLabel(
            f"These files belong to {len(candidates)} patients. Reviewer shows one at a time: choose the patient, and untick "
            "studies that you do not need."
        )
        text.setWordWrap(True)
        self._candidates = list(candidates)
        self.tree = QTreeWidget()
        self.tree.setObjectName("choose.tree")
        self.tree.setHeaderLabels(["Patient, study", "Files"])
        self.tree.setColumnWidth(0, 420)
        for candidate in candidates:
            facts = patient_facts(candidate.patient)
            patient = QTreeWidgetItem([f"{patient_name(candidate.patient)}   {facts}", ""])
            self.tree.addTopLevelItem(patient)
            for study in candidate.studies:
                row = QTreeWidgetItem(
                    [_study_title(study), ", ".join(f"{n} {m}" for m, n in sorted(study.counts.items()))]
                )
                row.setCheckState(0, Qt.CheckState.Checked)
                patient.addChild(row)
            patient.setExpanded(True)
        self.tree.setCurrentItem(self.tree.topLevelItem(0))
        self.tree.itemDoubleClicked.connect(lambda item: self.accept() if item.parent() is None else None)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
        column.setSpacing(RHYTHM)
        column.addWidget(text)
        column.addWidget(self.tree, 1)
        column.addWidget(self.buttons)

    def accept(self) -> None:
        item = self.tree.currentItem()
        if item is None:
            return
        patient = item.parent() or item
        candidate = self._candidates[self.tree.indexOfTopLevelItem(patient)]
        ticked = [
            study.uid
            for row, study in enumerate(candidate.studies)
            if patient.child(row).checkState(0) == Qt.CheckState.Checked
        ]
        self.chosen.emit(candidate.patient.id, [] if len(ticked) == len(candidate.studies) else ticked)
        super().accept()


def _study_title(study: Study) -> str:
    return "   ".join(p for p in (study.date, study.description) if p) or "study without date or description"
