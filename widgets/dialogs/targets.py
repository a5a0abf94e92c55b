"""From GTV to PTV and PTVopt: what is to be made, seen in the views before it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from reviewer.case import Structure, StructureSet
from reviewer.edit.structures import free_name, free_number
from reviewer.errors import CancelledError, ReviewerError
from reviewer.formula.grammar import DIRECTIONS
from reviewer.formula.proposal import Proposal, Wish
from reviewer.session import Session

from ..binding import Changes, follow
from ..jobs import Jobs, Progress
from ..panels.layers import ElidedCombo
from ..theme import RHYTHM, heading, muted
from ..wording import structure_set_title
from .formula_field import quoted
from .frame import Foot
from .preview import Outcome, Preview
from .targets_rows import Near, OrganTable, TargetRow, near, sentence

WIDTH, HEIGHT = 512, 690
"""At first; with room for notes under the rows."""
SIDES = ("left", "right", "anterior", "posterior", "superior", "inferior")


@dataclass(frozen=True)
class Preset:
    name: str
    source: str
    margin_mm: float
    spare_mm: float
    near_mm: float
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Proposed:
    """A row of resources/targets/targets.yaml."""

    name: str
    type: str
    formula: str
    tip: str


@cache
def _resources() -> tuple[dict[str, Proposed], tuple[Preset, ...]]:
    text = files("reviewer_resources").joinpath("targets", "targets.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    rows = {key: Proposed(**row) for key, row in table["rows"].items()}
    return rows, tuple(Preset(**{**p, "rows": tuple(p["rows"])}) for p in table["presets"])


def targets_in(structures: Sequence[Structure]) -> list[Structure]:
    """What can be the start: structures of type GTV, else those called so, else CTVs, else whatever has contours."""
    filled = [s for s in structures if not s.empty and s.type != "EXTERNAL"]
    for fits in (
        lambda s: s.type == "GTV",
        lambda s: s.name.upper().startswith("GTV"),
        lambda s: s.type == "CTV" or s.name.upper().startswith("CTV"),
    ):
        found = [s for s in filled if fits(s)]
        if found:
            return found
    return filled


def organs_in(structures: Sequence[Structure]) -> list[Structure]:
    """What can be spared: drawn organs."""
    return [
        s
        for s in structures
        if s.type in ("ORGAN", "AVOIDANCE", "")
        and not s.empty
        and s.formula is None
        and not s.name.upper().startswith(("GTV", "CTV", "PTV", "ITV"))
    ]


class TargetsDialog(QDialog):
    """build: brings a proposal into the case under a label; what it raises is shown here. The window stays usable beside it."""

    def __init__(
        self,
        session: Session,
        jobs: Jobs,
        group: StructureSet,
        build: Callable[[Proposal, str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("targets")
        self.setWindowTitle(f"Targets – {structure_set_title(group)}")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._jobs, self._build_in = session, jobs, build
        self._set_id = group.id
        self._wishes: dict[str, Wish] = {}
        self._facts: dict[str, Near] = {}
        self._measured: dict[str, tuple[Structure, ...]] = {}
        self._measuring = False
        self._wanted = False
        self.preview = Preview(session, jobs, group.id, self)
        self.preview.came.connect(self._show)
        self.preview.failed.connect(self._failed)
        templates, self._presets = _resources()
        self._templates = templates

        self.preset = QComboBox()
        self.preset.setObjectName("targets.preset")
        for preset in self._presets:
            self.preset.addItem(preset.name)
            self.preset.setItemData(self.preset.count() - 1, preset.source, Qt.ItemDataRole.ToolTipRole)
        self.preset.activated.connect(lambda: self._use_preset())
        self.gtv = ElidedCombo()
        self.gtv.setObjectName("targets.gtv")
        self.gtv.setToolTip("The gross tumour volume that the targets are made of")
        self.gtv.activated.connect(lambda: self._another_gtv())
        self.margin = _millimetres("targets.margin", 3.0, 8.0, "From GTV to PTV, to all sides: 3 to 8 mm")
        self.sides = QCheckBox("by side")
        self.sides.setObjectName("targets.sides")
        self.sides.setToolTip("A margin of its own towards each side of the patient")
        self.side = {
            short: _millimetres(f"targets.side.{short}", 0.0, 20.0, f"Margin towards {side}, 0 to 20 mm")
            for short, side in zip(DIRECTIONS, SIDES, strict=True)
        }
        self.spare = _millimetres(
            "targets.spare", 0.0, 20.0, "Margin around the organs at risk that PTVopt keeps clear of"
        )
        self.near = _millimetres(
            "targets.near",
            0.0,
            60.0,
            "Organs at most this far from the PTV are chosen at first; not the one that holds the GTV",
        )
        self.near.setDecimals(0)
        self.organs = OrganTable()
        self.rows = {key: TargetRow(key, row.name, row.type, row.tip) for key, row in templates.items()}
        self.message = QLabel()
        self.message.setObjectName("targets.message")
        self.message.setWordWrap(True)
        leaves, does = ("targets.cancel", "Cancel", self.reject), ("targets.build", "Build", self._build)
        foot = Foot(self, leaves, does, self.message)
        foot.leave.setToolTip("Change nothing   (Esc)")
        self.build = foot.go
        self._lay_out(foot)

        taken = {s.name for s in group.structures}
        for key, row in self.rows.items():
            row.name.setText(free_name(templates[key].name, taken))
            taken.add(row.name.text())
        self._fill_gtvs()
        self._use_preset()
        self.margin.valueChanged.connect(lambda: self._level_sides())
        for spin in (*self.side.values(), self.spare):
            spin.valueChanged.connect(lambda: self._ask())
        self.near.valueChanged.connect(lambda: self._reach())
        self.sides.toggled.connect(self._show_sides)
        self.organs.changed.connect(self._ask)
        for row in self.rows.values():
            row.changed.connect(self._ask)
        follow(self, session, self._refresh)

    def open_over(self, window: QWidget) -> None:
        """At the right, over panels and small views, so that the large view shows what comes of it."""
        width = max(WIDTH, min(600, int(window.width() * 0.34)))
        height = min(max(self.sizeHint().height(), HEIGHT), window.height() - 12 * RHYTHM)
        self.resize(width, height)
        corner = window.mapToGlobal(window.rect().topRight())
        self.move(corner.x() - width - RHYTHM, corner.y() + 6 * RHYTHM)
        self.show()
        self.gtv.setFocus()

    def done(self, result: int) -> None:
        """However it ends, the preview goes."""
        self._jobs.cancel("targets near")
        self.preview.close()
        super().done(result)

    # -- layout ---------------------------------------------------------------------------------------------------------

    def _lay_out(self, foot: Foot) -> None:
        start = QGridLayout()
        start.setHorizontalSpacing(RHYTHM)
        start.setVerticalSpacing(RHYTHM // 2)
        start.setColumnStretch(1, 1)
        start.addWidget(QLabel("Preset"), 0, 0)
        start.addWidget(self.preset, 0, 1, 1, 4)
        start.addWidget(QLabel("GTV"), 1, 0)
        start.addWidget(self.gtv, 1, 1)
        start.addWidget(QLabel("Margin to PTV"), 1, 2)
        start.addWidget(self.margin, 1, 3)
        start.addWidget(self.sides, 1, 4)
        self._side_box = QWidget()
        across = QGridLayout(self._side_box)
        across.setContentsMargins(0, 0, 0, 0)
        across.setHorizontalSpacing(RHYTHM // 2)
        across.setVerticalSpacing(0)
        across.setColumnStretch(len(self.side), 1)
        for place, (short, spin) in enumerate(self.side.items()):
            spin.setFixedWidth(74)
            across.addWidget(muted(short), 0, place)
            across.addWidget(spin, 1, place)
        self._side_box.hide()

        spare = QHBoxLayout()
        spare.setSpacing(RHYTHM)
        for label, spin in (("Keep clear of them by", self.spare), ("choose those within", self.near)):
            spare.addWidget(QLabel(label))
            spare.addWidget(spin)
        spare.addStretch(1)

        inside = QWidget()
        made = QVBoxLayout(inside)
        made.setContentsMargins(0, 0, RHYTHM // 2, 0)
        made.setSpacing(RHYTHM // 2)
        for row in self.rows.values():
            made.addWidget(row)
        made.addStretch(1)
        area = QScrollArea()
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        area.setMinimumHeight(190)
        self.organs.setMinimumHeight(6 * 21 + 26)

        column = QVBoxLayout(self)
        column.setContentsMargins(2 * RHYTHM, RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
        column.setSpacing(RHYTHM)
        column.addWidget(heading("1   Tumour and margin"))
        column.addLayout(start)
        column.addWidget(self._side_box)
        column.addWidget(heading("2   Organs at risk to spare"))
        column.addLayout(spare)
        column.addWidget(self.organs, 2)
        column.addWidget(heading("3   Structures to make"))
        column.addWidget(area, 3)
        column.addLayout(foot)

    # -- what is wanted -------------------------------------------------------------------------------------------------

    @property
    def _group(self) -> StructureSet | None:
        return self._session.case.structure_set(self._set_id)

    @property
    def _structures(self) -> tuple[Structure, ...]:
        return self._group.structures if self._group else ()

    @property
    def _gtvs(self) -> tuple[Structure, ...]:
        names = self.gtv.currentData() or ()
        return tuple(s for s in self._structures if s.name in names)

    def _fill_gtvs(self) -> None:
        found = targets_in(self._structures)
        names = [(s.name,) for s in found]
        if len(found) > 1 and all(s.type == "GTV" for s in found):
            names.append(tuple(s.name for s in found))
        before = self.gtv.currentData()
        active = next((s.name for s in found if s.id == self._session.view.active), None)
        with QSignalBlocker(self.gtv):
            self.gtv.clear()
            for choice in names:
                self.gtv.addItem(" and ".join(choice), choice)
            wanted = before if before in names else (active,)
            self.gtv.setCurrentIndex(names.index(wanted) if wanted in names else 0)

    def _use_preset(self) -> None:
        preset = self._presets[self.preset.currentIndex()]
        self.preset.setToolTip(preset.source)
        spins = (self.margin, self.spare, self.near, *self.side.values())
        values = (preset.margin_mm, preset.spare_mm, preset.near_mm, *[preset.margin_mm] * len(self.side))
        for spin, value in zip(spins, values, strict=True):
            with QSignalBlocker(spin):
                spin.setValue(value)
        self.organs.within_mm = preset.near_mm
        for key, row in self.rows.items():
            with QSignalBlocker(row):
                row.made.setChecked(key in preset.rows)
        self._ask()

    def _another_gtv(self) -> None:
        self.organs.forget_hands()
        self._ask()

    def _level_sides(self) -> None:
        for spin in self.side.values():
            with QSignalBlocker(spin):
                spin.setValue(self.margin.value())
        self._ask()

    def _show_sides(self, apart: bool) -> None:
        self._side_box.setVisible(apart)
        self.margin.setEnabled(not apart)
        self._ask()

    def _reach(self) -> None:
        self.organs.within_mm = self.near.value()
        self._show_organs()
        self._ask()

    def _template(self, key: str) -> tuple[str, str]:
        """Formula of a row, or why there is none."""
        template = self._templates[key].formula
        gtvs = [quoted(s.name) for s in self._gtvs]
        oars = [quoted(n) for n in self.organs.chosen]
        liver = next(
            (s for s in self._structures if s.name.lower() in ("liver", "leber", "foie") and not s.empty), None
        )
        if not gtvs:
            return "", "there is no GTV"
        if "{liver}" in template and liver is None:
            return "", "there is no structure called Liver"
        if "{oars}" in template and not oars:
            if not self.rows["ptv"].made.isChecked():
                return "", "the organs are chosen by their distance to the PTV, which is not made"
            return "", "no organ at risk is chosen" if self._facts else "measuring the distances of the organs …"
        union = gtvs[0] if len(gtvs) == 1 else f"({' | '.join(gtvs)})"
        around = ", ".join(f"{short}={spin.value():g} mm" for short, spin in self.side.items())
        expanded = f"expand({union}, {around})" if self.sides.isChecked() else f"{union} + {self.margin.value():g} mm"
        text = template.format(
            gtv=union,
            ptv=quoted(self.rows["ptv"].name.text().strip() or "PTV"),
            expanded=expanded,
            oars=oars[0] if len(oars) == 1 else f"({' | '.join(oars)})",
            spare=f"{self.spare.value():g} mm",
            liver=quoted(liver.name) if liver else "",
        )
        return text, ""

    def _ask(self) -> None:
        """Something else is wanted: a click on Build before meant what was to be seen then."""
        self._wanted = False
        self._work_out()

    def _work_out(self) -> None:
        """Write the formulas, and have them worked out."""
        group = self._group
        if group is None:
            return
        self._wishes = {}
        first = free_number(group)
        names = [s.name for s in group.structures]
        for place, (key, row) in enumerate(self.rows.items()):
            row.follow(*self._template(key))
            wish = row.wish(first + place)
            if wish is not None:
                self._wishes[key] = wish
        made = [w.name for w in self._wishes.values() if w.name not in names]
        for row in self.rows.values():
            row.formula.offer([*made, *names])
            row.wait()
        self.preview.ask(tuple(self._wishes.values()))
        self._show_button()

    # -- what comes of it -----------------------------------------------------------------------------------------------

    def _show(self, outcome: Outcome) -> None:
        before = {s.name: s for s in self._structures}
        for key, row in self.rows.items():
            wish = self._wishes.get(key)
            made = outcome.proposal.made.get(wish) if wish else None
            notes = list(made.warnings) if made else []
            if wish and made and wish.name in before:
                notes.append(f"{wish.name} is there already (= {before[wish.name].formula}): its formula is replaced")
            error = outcome.proposal.errors.get(wish) if wish else None
            row.show_outcome(outcome.volumes.get(wish) if wish and made else None, notes, error)
        self._measure(outcome)
        self._show_button()

    def _failed(self, error: Exception) -> None:
        self._measuring = self._wanted = False
        self._show_button()
        self.message.setText(f"✗ {sentence(error)}")

    def _show_button(self) -> None:
        outcome, number = self.preview.outcome, len(self._wishes)
        noun = "structure" if number == 1 else "structures"
        refusal, under_way = "", ""
        if not number:
            refusal = "nothing is chosen"
        elif outcome is None or not self.preview.fresh:
            under_way = "working it out …"
        elif outcome.proposal.errors:
            refusal = (
                "one of the structures cannot be made" if len(outcome.proposal.errors) == 1 else "some cannot be made"
            )
        elif self._measuring:
            under_way = "measuring the distances of the organs …"
        self._wanted = self._wanted and not refusal
        self.build.setText(f"{'Building' if self._wanted else 'Build'} {number} {noun}" if number else "Build")
        self.build.setEnabled(not refusal and not self._wanted)
        self.build.setToolTip(f"Not now: {refusal}" if refusal else "One step, which Undo takes back   (Ctrl+Return)")
        self.message.setText(refusal or under_way or "Dashed in the views: a preview, nothing is changed yet")
        if self._wanted and not under_way:
            self._build()

    def _build(self) -> None:
        """Now, or as soon as it is worked out."""
        outcome = self.preview.outcome
        if outcome is None or not self.preview.fresh or self._measuring:
            self._wanted = True
            self._show_button()
            return
        self._wanted = False
        names = ", ".join(wish.name for wish in outcome.proposal.made)
        try:
            self._build_in(outcome.proposal, f"Build {names}")
        except ReviewerError as error:
            self.message.setText(f"✗ {error}")
            return
        self.accept()

    # -- organs ---------------------------------------------------------------------------------------------------------

    def _measure(self, outcome: Outcome) -> None:
        """Distances and overlaps of the organs, where the PTV or an organ is another one than before."""
        wish = self._wishes.get("ptv")
        made = outcome.proposal.made.get(wish) if wish else None
        organs = [s for s in organs_in(self._structures) if s not in self._gtvs]
        if made is None or not organs:
            return
        ptv, gtvs = made.structure, self._gtvs
        asked = {organ.name: (ptv, organ, *gtvs) for organ in organs}
        if all(_same(self._measured.get(name), of) for name, of in asked.items()):
            self._show_organs()
            return

        def work(progress: Progress) -> dict[str, Near]:
            found = {}
            for place, organ in enumerate(organs):
                if progress.cancelled():
                    raise CancelledError
                progress.report(place / len(organs), organ.name)
                found[organ.name] = near(organ, ptv, gtvs)
            return found

        def arrived(found: dict[str, Near]) -> None:
            self._measuring = False
            self._facts, self._measured = found, asked
            self._show_organs()
            self._work_out()

        self._measuring = True
        self._jobs.run("Distances of the organs", work, arrived, self._failed, key="targets near")

    def _show_organs(self) -> None:
        names = [s.name for s in organs_in(self._structures) if s not in self._gtvs]
        self.organs.show_organs(names, {n: f for n, f in self._facts.items() if n in names})

    # -- keeping up -----------------------------------------------------------------------------------------------------

    def _refresh(self, changes: Changes) -> None:
        if changes.opened or self._group is None:
            self.reject()
        elif changes.edited:
            self._fill_gtvs()
            self._show_organs()
            self._ask()


def _same(before: tuple[Structure, ...] | None, now: tuple[Structure, ...]) -> bool:
    return before is not None and len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def _millimetres(name: str, low: float, high: float, tip: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setObjectName(name)
    spin.setRange(low, high)
    spin.setDecimals(1)
    spin.setSingleStep(0.5)
    spin.setSuffix(" mm")
    spin.setToolTip(tip)
    spin.setKeyboardTracking(False)
    return spin
