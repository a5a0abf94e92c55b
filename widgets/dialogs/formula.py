"""One derived structure: a new one, or another formula for one that is there."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QLineEdit, QWidget

from reviewer.case import Structure, StructureSet
from reviewer.edit.structures import free_name, free_number
from reviewer.errors import ReviewerError
from reviewer.formula.proposal import Proposal, Wish
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Jobs
from ..theme import RHYTHM, muted, tint
from .formula_field import HOW, FormulaField
from .frame import Foot, framed
from .preview import Outcome, Preview
from .targets_rows import sentence

WIDTH = 560


class FormulaDialog(QDialog):
    """structure: whose formula is edited, None for a new one. build: brings a proposal into the case under a label."""

    def __init__(
        self,
        session: Session,
        jobs: Jobs,
        group: StructureSet,
        structure: Structure | None,
        build: Callable[[Proposal, str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("formula")
        self.setWindowTitle(f"Formula of {structure.name}" if structure else "New derived structure")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._set_id, self._build_in = session, group.id, build
        self._edited = structure.name if structure else None
        self._wish: Wish | None = None
        self.preview = Preview(session, jobs, group.id, self)
        self.preview.came.connect(self._show)
        self.preview.failed.connect(self._tell)
        self.name = QLineEdit(structure.name if structure else free_name("Derived", {s.name for s in group.structures}))
        self.name.setObjectName("formula.name")
        self.name.setReadOnly(structure is not None)
        self.name.setToolTip("Name of the structure")
        self.formula = FormulaField()
        self.formula.setObjectName("formula.text")
        self.formula.setText((structure.formula or "") if structure else "")
        self.formula.setPlaceholderText("for example GTV + 5 mm")
        self.volume = QLabel()
        self.volume.setObjectName("formula.volume")
        self.volume.setToolTip("Volume in cm³")
        self.note = QLabel()
        self.note.setObjectName("formula.note")
        self.note.setWordWrap(True)
        text = "Set the formula" if structure else "Make it"
        foot = Foot(self, ("formula.cancel", "Cancel", self.reject), ("formula.build", text, self._build))
        foot.leave.setToolTip("Change nothing   (Esc)")
        self.keep = foot.go

        fields = QGridLayout()
        fields.setHorizontalSpacing(RHYTHM)
        fields.setVerticalSpacing(RHYTHM // 2)
        fields.setColumnStretch(1, 1)
        fields.addWidget(QLabel("Name"), 0, 0)
        fields.addWidget(self.name, 0, 1)
        fields.addWidget(self.volume, 0, 2)
        fields.addWidget(QLabel("Formula"), 1, 0)
        fields.addWidget(self.formula, 1, 1, 1, 2)
        fields.addWidget(self.note, 2, 1, 1, 2)
        column = framed(self)
        column.addLayout(fields)
        how = muted(HOW)
        how.setWordWrap(True)
        column.addWidget(how)
        column.addStretch(1)
        column.addLayout(foot)
        self.setFixedWidth(WIDTH)
        self.name.textEdited.connect(lambda: self._ask())
        self.formula.textEdited.connect(lambda: self._ask())
        follow(self, session, self._refresh)
        self._ask()

    def open_over(self, window: QWidget) -> None:
        """At the right, over panels and small views."""
        corner = window.mapToGlobal(window.rect().topRight())
        self.move(corner.x() - self.width() - RHYTHM, corner.y() + 6 * RHYTHM)
        self._fit()
        self.show()
        self.formula.setFocus()

    def done(self, result: int) -> None:
        """However it ends, the preview goes."""
        self.preview.close()
        super().done(result)

    def _ask(self) -> None:
        group = self._session.case.structure_set(self._set_id)
        if group is None:
            return
        self.formula.offer([s.name for s in group.structures if s.name != self._edited])
        self._wish = Wish(self.name.text().strip(), self.formula.text().strip(), "", free_number(group))
        self.volume.setText("…" if self._wish.formula else "")
        self.preview.ask((self._wish,) if self._wish.formula else ())
        self._show_button()

    def _show(self, outcome: Outcome) -> None:
        wish = self._wish
        made = outcome.proposal.made.get(wish) if wish else None
        error = outcome.proposal.errors.get(wish) if wish else None
        self.volume.setText(f"{outcome.volumes[wish]:.2f} cc" if wish and made else "")
        self.formula.mark(error)
        notes = [*made.warnings] if made else []
        if made and wish and self._edited is None and any(s.name == wish.name for s in self._structures):
            notes.append(f"{wish.name} is there already: its formula is replaced")
        self._write(f"✗ {sentence(error)}" if error else "\n".join(f"⚠ {n}" for n in notes), bad=error is not None)
        self._show_button()

    @property
    def _structures(self) -> tuple[Structure, ...]:
        group = self._session.case.structure_set(self._set_id)
        return group.structures if group else ()

    def _write(self, text: str, bad: bool) -> None:
        tint(self.note, "bad" if bad else "caution")
        self.note.setText(text)
        self._fit()

    def _fit(self) -> None:
        """As high as the note needs."""
        self.resize(WIDTH, self.layout().totalHeightForWidth(WIDTH))

    def _tell(self, error: Exception) -> None:
        self._write(f"✗ {sentence(error)}", bad=True)

    def _show_button(self) -> None:
        outcome = self.preview.outcome
        ready = outcome is not None and self.preview.fresh and bool(outcome.proposal.made)
        self.keep.setEnabled(ready)
        self.keep.setToolTip(
            "One step, which Undo takes back   (Ctrl+Return)"
            if ready
            else "Not now: there is no formula that can be evaluated"
        )

    def _build(self) -> None:
        outcome = self.preview.outcome
        if outcome is None or self._wish is None or not self.keep.isEnabled():
            return
        try:
            self._build_in(outcome.proposal, f"{'Formula of' if self._edited else 'Build'} {self._wish.name}")
        except ReviewerError as error:
            self._tell(error)
            return
        self.accept()

    def _refresh(self, changes: Changes) -> None:
        group = self._session.case.structure_set(self._set_id)
        gone = self._edited is not None and group is not None and all(s.name != self._edited for s in group.structures)
        if changes.opened or group is None or gone:
            self.reject()
        elif changes.edited:
            self._ask()
