"""The dose check in the window, from the command to the dose in the case, and what is said where an engine fails."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import shapely.affinity
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QSpinBox
from reviewer_plugins.dose_pencil_beam import PencilBeam
from reviewer_widgets.dialogs import dose_check_work
from reviewer_widgets.dialogs.backend_settings import BackendSettings
from reviewer_widgets.main_window import MainWindow

from reviewer.backends.contract import Setting
from reviewer.backends.discovery import Backend, Broken, Found
from reviewer.case import (
    Aperture,
    Beam,
    Case,
    ControlPoint,
    Dose,
    Image,
    Plan,
    Prescription,
    Registration,
    Structure,
    StructureSet,
)
from reviewer.export import Formats, export
from reviewer.geometry.grid import Grid

SCALED = Backend.here("dose", "scaled", "reviewer_plugins.dose_scaled:Scaled")
PENCIL = Backend.here("dose", "pencil-beam", "reviewer_plugins.dose_pencil_beam:PencilBeam")
PLANNED_GY = 4.0

ENDS = """
import os, sys, time
from reviewer.backends.contract import BackendInfo
class Ends:
    info = BackendInfo("ends", "One that ends", "1", "MIT")
    def settings(self): return ()
    def available(self, job): return None
    def compute(self, job, progress):
        print("the last thing that I did", file=sys.stderr, flush=True)
        os.abort()
class Waits(Ends):
    info = BackendInfo("waits", "One that waits", "1", "MIT")
    def compute(self, job, progress):
        progress(0.5, "half way")
        time.sleep(600)
class Missing(Ends):
    info = BackendInfo("missing", "One that cannot", "1", "MIT")
    def available(self, job): return "its beam data are not installed"
"""


def phantom() -> Case:
    """A box of water, 120 x 120 x 60 mm, seen by CT; one field of 5 x 5 cm; a planned dose of 4 Gy everywhere."""
    frame = "1.2.3"
    grid = Grid(np.eye(3), (-72.5, -72.5), (5.0, 5.0), (30, 30), np.arange(-32.5, 33, 5.0), frame)

    def part(name: str, half: float, kind: str, number: int, planes: range) -> Structure:
        region = shapely.box(-half, -half, half, half)
        return Structure(
            f"set#{number}", name, grid, dict.fromkeys(planes, region), kind, (200, 10 * number, 0), "ct", number
        )

    parts = (
        part("Body", 60, "EXTERNAL", 1, range(1, 13)),
        part("Liver", 40, "ORGAN", 2, range(3, 11)),
        part("PTV", 15, "PTV", 3, range(5, 9)),
    )
    image = Image("ct", "CT", "water", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")
    apertures = (Aperture("X", (-25.0, 25.0)), Aperture("Y", (-25.0, 25.0)))
    points = tuple(ControlPoint(w, 0.0, 0.0, 0.0, apertures) for w in (0.0, 1.0))
    beam = Beam(
        1, "AP", "STATIC", "PHOTON", 6.0, "M", 900.0, (0.0, 0.0, 0.0), 100.0, 1.0, points, patient_position="HFS"
    )
    plan = Plan("plan", "Liver 2x2", fractions=2, prescriptions=(Prescription("PTV", 4.0),), beams=(beam,),
                structure_set_id="set", frame_of_reference_uid=frame)  # fmt: skip
    dose = Dose(
        "dose", "planned", grid, np.full(grid.shape_zyx, PLANNED_GY, np.float32), plan_id="plan", structure_set_id="set"
    )
    group = StructureSet("set", "Anatomy", parts, "ct", frame)
    return Case(images=(image,), structure_sets=(group,), doses=(dose,), plans=(plan,))


@pytest.fixture
def window(qtbot, qapp):
    window = MainWindow(remember=False)
    qtbot.addWidget(window)
    window.show()
    window.session.open(phantom())
    qtbot.wait(10)
    yield window
    window.close()


def opened(window, qtbot, monkeypatch, *backends, broken=()):
    monkeypatch.setattr(dose_check_work, "discover", lambda: Found(tuple(backends), tuple(broken)))
    window.actions_.trigger("plans.dose_check")
    dialog = window.checking.dialog
    assert dialog is not None
    assert window.jobs.wait()
    return dialog


def computed(window, dialog, qtbot):
    assert dialog.compute.isEnabled(), dialog.compute.toolTip()
    qtbot.mouseClick(dialog.compute, Qt.MouseButton.LeftButton)
    assert window.jobs.wait()
    qtbot.wait(10)


def rows(table):
    return [[table.item(n, c).text() for c in range(table.columnCount())] for n in range(table.rowCount())]


def test_a_dose_that_is_a_tenth_higher_is_told_as_such(window, qtbot, monkeypatch):
    dialog = opened(window, qtbot, monkeypatch, SCALED)
    factor = dialog.findChild(QDoubleSpinBox, "dose_check.settings.factor")
    factor.setValue(1.1)
    computed(window, dialog, qtbot)
    made = window.session.case.doses[-1]
    assert window.session.view.dose == made.id
    np.testing.assert_allclose(made.gray, 1.1 * PLANNED_GY, rtol=1e-6)
    assert made.label == "planned · Planned dose carried over 1.0"
    assert dialog.gamma.text().startswith("Gamma against planned: 0.0 % of")
    assert rows(dialog.figures) == [
        ["PTV", "D95%", "4.00", "4.40", "+0.40 Gy  +10.0 %"],
        ["PTV", "Mean", "4.00", "4.40", "+0.40 Gy  +10.0 %"],
        ["Liver", "D0.5cc", "4.00", "4.40", "+0.40 Gy  +10.0 %"],
        ["Liver", "Mean", "4.00", "4.40", "+0.40 Gy  +10.0 %"],
    ]
    dialog.scales.setCurrentIndex(1)
    computed(window, dialog, qtbot)
    np.testing.assert_allclose(window.session.case.doses[-1].gray, PLANNED_GY, rtol=1e-4)
    assert dialog.gamma.text().startswith("Gamma against planned: 100.0 % of")
    assert any("only its distribution is checked" in line for line in dialog.statements.text().splitlines())


def test_the_pencil_beam_opens_as_a_dose_with_all_that_it_says_of_itself(window, qtbot, monkeypatch, tmp_path):
    dialog = opened(window, qtbot, monkeypatch, PENCIL)
    assert "2.0 · Apache-2.0" in dialog.facts.text()
    computed(window, dialog, qtbot)
    made = window.session.case.doses[-1]
    z, y, x = (n // 2 for n in made.gray.shape)
    assert made.gray[z, y, x] > 20 * made.gray[z, y, 4]  # in the field, and 50 mm beside it
    column = made.gray[z, :, x]
    assert column[5] > column[15] > column[24] > 0  # the beam comes from the front
    for sentence in (
        "generic 6 MV FFF beam (TPR20,10 0.635), no magnetic field, not commissioned",
        "density from the CT",
    ):
        assert any(line.startswith(sentence) for line in made.statements)
    assert dialog.statements.text().splitlines() == [f"⚠ {line}" for line in made.statements]
    assert window.layers.dose.currentText() == f"⚠ {made.label}"
    assert (
        "⚠ generic 6 MV FFF beam (TPR20,10 0.635), no magnetic field, not commissioned" in window.layers.dose.toolTip()
    )
    said = [label.text() for label in window.plan.findChildren(type(window.plan.empty))]
    assert any("not the plan's own dose" in text for text in said)
    qtbot.mouseClick(dialog.compare, Qt.MouseButton.LeftButton)
    assert [c.dose for c in window.session.view.columns] == ["dose", made.id]
    assert window.session.view.other_dose == "dose"
    written = export(window.session.case, window.session.case.structure_sets, tmp_path, Formats(anonymise=True))
    assert "DOSE 2 is not among the files: it was computed here, or by a backend" in written.remarks
    qtbot.mouseClick(dialog.remove, Qt.MouseButton.LeftButton)
    assert [d.id for d in window.session.case.doses] == ["dose"]
    assert window.session.view.dose == "dose"


def test_a_crash_is_a_message_with_the_last_lines_and_the_window_goes_on(window, qtbot, monkeypatch, tmp_path):
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    dialog = opened(window, qtbot, monkeypatch, Backend.here("dose", "ends", f"{script}:Ends"))
    before = window.session.case
    computed(window, dialog, qtbot)
    assert "backend ends: crashed (SIGABRT)" in dialog.statements.text()
    assert "the last thing that I did" in dialog.trouble.toPlainText()
    assert not dialog.trouble.isHidden()
    assert dialog.figures.isHidden()
    assert window.session.case is before
    assert dialog.compute.isEnabled()


HOSTILE = Path(__file__).parents[1] / "backends" / "hostile.py"
HAPPENINGS = {
    "Segfault": "crashed (SIGSEGV)",
    "Hang": "had no answer after 3 s and was ended",
    "Memory": "ran out of memory (its limit is 2.0 GB)",
    "NotANumber": "the dose is not a number in 1 voxels",
    "WrongGrid": "the grid asked for",
    "Exit": "ended in the middle of its work, with exit status 3",
    "Flood": "wrote more than 64 MB of messages",
    "SaysCentiGray": "the dose is in 'cGy', not in Gy",
}


@pytest.mark.parametrize("name", HAPPENINGS)
def test_whatever_a_backend_does_the_window_goes_on(window, qtbot, monkeypatch, name):
    """Its event loop turns while the backend works; then there is the message, and case, view and engine list are as they were."""
    hostile = replace(
        Backend.here("dose", "test", f"{HOSTILE}:{name}"), time_s=3.0 if name == "Hang" else 120.0, memory_bytes=2 << 30
    )
    dialog = opened(window, qtbot, monkeypatch, hostile)
    case, view = window.session.case, window.session.view
    turns = []
    timer = QTimer(dialog)
    timer.timeout.connect(lambda: turns.append(dialog.compute.isEnabled()))
    timer.start(1)  # ms; without a rest it would take the processor from the backend
    qtbot.mouseClick(dialog.compute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.statements.text().startswith("✗"), timeout=150_000)
    timer.stop()
    assert turns.count(False) > 10, "the window stood still"
    assert HAPPENINGS[name] in dialog.statements.text()
    assert (window.session.case, window.session.view) == (case, view)
    assert dialog.compute.isEnabled()


def test_an_entry_point_that_leads_nowhere_is_grey(window, qtbot, monkeypatch):
    dead = Backend.here("dose", "dead", "no_such_package.engine:Engine", "dead 1.0")
    dialog = opened(window, qtbot, monkeypatch, dead, SCALED)
    row = dialog.backends.findText("dead")
    assert not dialog.backends.model().item(row).isEnabled()
    assert "No module named 'no_such_package'" in dialog.backends.itemData(row, Qt.ItemDataRole.ToolTipRole)
    assert dialog.backends.currentData() == SCALED
    assert dialog.compute.isEnabled()


def test_cancelling_leaves_the_case_as_it_was(window, qtbot, monkeypatch, tmp_path):
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    dialog = opened(window, qtbot, monkeypatch, Backend.here("dose", "waits", f"{script}:Waits"))
    before = window.session.case
    qtbot.mouseClick(dialog.compute, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dialog.note.text() == "half way", timeout=20_000)
    assert not dialog.compute.isEnabled()
    assert dialog.stop.text() == "Cancel"
    qtbot.mouseClick(dialog.stop, Qt.MouseButton.LeftButton)
    assert window.jobs.wait()
    assert dialog.note.text() == "cancelled"
    assert window.session.case is before
    assert dialog.compute.isEnabled()


def test_it_may_be_closed_while_an_engine_is_still_asked_who_it_is(window, qtbot, monkeypatch):
    monkeypatch.setattr(dose_check_work, "discover", lambda: Found((SCALED,), ()))
    answer, said = threading.Event(), dose_check_work.said
    monkeypatch.setattr(dose_check_work, "said", lambda backend: answer.wait(60) and said(backend))
    window.actions_.trigger("plans.dose_check")
    qtbot.keyClick(window.checking.dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: window.checking.dialog is None)
    answer.set()
    assert window.jobs.wait()
    assert window.strip.messages == ()


def test_engines_that_cannot_work_are_grey_and_say_why(window, qtbot, monkeypatch, tmp_path):
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    missing = Backend.here("dose", "missing", f"{script}:Missing")
    dialog = opened(window, qtbot, monkeypatch, missing, SCALED, broken=[Broken("old", "a.toml", "says no kind")])
    reasons = {}
    for row in range(dialog.backends.count()):
        if not dialog.backends.model().item(row).isEnabled():
            reasons[dialog.backends.itemText(row)] = dialog.backends.itemData(row, Qt.ItemDataRole.ToolTipRole)
    assert reasons == {
        "One that cannot": "Not now: its beam data are not installed",
        "old": "Not now: says no kind",
    }
    assert dialog.backends.currentData() == SCALED
    assert dialog.compute.isEnabled()


def test_a_density_set_by_hand_is_in_the_map_that_is_shown(window, qtbot, monkeypatch):
    dialog = opened(window, qtbot, monkeypatch, SCALED)
    names = [r[0] for r in rows(dialog.densities)]
    assert names == ["Liver", "PTV"]
    assert [r[1] for r in rows(dialog.densities)] == ["by HU", "by HU"]
    dialog.sources.setCurrentIndex(1)
    assert [r[1] for r in rows(dialog.densities)] == ["1.05", "as around it"]
    dialog.densities.item(1, 1).setText("1.3")
    assert dialog.densities.item(1, 0).checkState() == Qt.CheckState.Checked
    qtbot.mouseClick(dialog.show_map, Qt.MouseButton.LeftButton)
    assert window.jobs.wait()
    qtbot.wait(10)
    image = window.session.case.image(window.session.view.overlay)
    assert image is not None

    def at(x):
        z, y, x = np.round(image.grid.index_zyx((x, 0.0, 0.0))).astype(int)
        return float(image.voxels[z, y, x])

    assert [at(0), at(30), at(50)] == pytest.approx([1.3, 1.05, 1.0])
    dialog.densities.item(1, 1).setText("heavy")
    assert dialog.densities.densities == {}
    assert dialog.densities.item(1, 1).text() == "as around it"
    qtbot.mouseClick(dialog.remove_map, Qt.MouseButton.LeftButton)
    assert not dialog.remove_map.isEnabled()
    assert window.session.view.overlay is None
    assert [i.id for i in window.session.case.images] == ["ct"]


def on_another_day(case: Case, shift: tuple[float, float, float]) -> Case:
    """The same anatomy again, moved, in a frame of its own that is registered to the first; and one in a frame that is not."""
    grid = case.structure_sets[0].structures[0].grid
    sets = []
    for name, frame in (("Day", "1.2.4"), ("Lost", "1.2.5")):
        there = Grid(grid.axes, (grid.origin_uv_mm[0] + shift[0], grid.origin_uv_mm[1] + shift[1]), grid.spacing_uv_mm,
                     grid.size_uv, np.asarray(grid.positions_mm) + shift[2], frame)  # fmt: skip
        parts = tuple(
            replace(
                s, id=f"{name}-{s.name}", grid=there, image_id="",
                planes={k: shapely.affinity.translate(r, *shift[:2]) for k, r in s.planes.items()},
            )
            for s in case.structure_sets[0].structures
        )  # fmt: skip
        sets.append(StructureSet(name, name, parts, "", frame))
    matrix = np.eye(4)
    matrix[:3, 3] = shift
    tie = Registration("reg", "tie", "1.2.3", "1.2.4", matrix)
    return replace(case, structure_sets=(*case.structure_sets, *sets), registrations=(tie,))


def test_an_anatomy_of_another_frame_is_computed_where_it_is_registered(window, qtbot, monkeypatch):
    """The plan's isocentre goes with the registration, or where a hand says; without a registration the set is grey."""
    shift = (10.0, -5.0, 5.0)
    window.session.open(on_another_day(phantom(), shift))
    qtbot.wait(10)
    dialog = opened(window, qtbot, monkeypatch, PENCIL)
    enabled = {dialog.sets.itemData(r): dialog.sets.model().item(r).isEnabled() for r in range(dialog.sets.count())}
    assert enabled == {"set": True, "Day": True, "Lost": False}
    dialog.sets.setCurrentIndex(dialog.sets.findData("Day"))
    dialog.sources.setCurrentIndex(1)  # by structure
    computed(window, dialog, qtbot)
    made = window.session.case.doses[-1]
    assert made.grid.frame_of_reference_uid == "1.2.4"
    assert any("isocentre of the plan carried over" in line for line in made.statements)

    def middle(dose):
        bright = dose.gray > 0.5 * dose.gray.max()
        x = dose.grid.point_of_index_mm((0, 0, 0))[0] + np.arange(dose.gray.shape[2]) * dose.grid.spacing_mm[0]
        return (x * bright.sum(axis=(0, 1))).sum() / bright.sum()

    assert middle(made) == pytest.approx(10.0, abs=1.0)
    dialog.isocentre.setText("a b c")
    assert not dialog.compute.isEnabled()
    assert "three numbers" in dialog.compute.toolTip()
    dialog.isocentre.setText("18, -5, 5")
    computed(window, dialog, qtbot)
    assert middle(window.session.case.doses[-1]) == pytest.approx(18.0, abs=1.0)
    assert any("isocentre given: 18.0, -5.0, 5.0 mm" in line for line in window.session.case.doses[-1].statements)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"plans": ()}, "there is no plan"),
        ({"doses": ()}, "there is no dose"),
        ({"plans": (replace(phantom().plans[0], beams=()),)}, "whose beams are known"),
    ],
)
def test_it_says_why_nothing_can_be_checked(window, qtbot, change, reason):
    assert window.actions_["plans.dose_check"].isEnabled()
    window.session.open(replace(phantom(), **change))
    qtbot.wait(10)
    action = window.actions_["plans.dose_check"]
    assert not action.isEnabled()
    assert reason in action.toolTip()


def test_the_form_shows_every_kind_of_setting(qtbot):
    form = BackendSettings("form")
    qtbot.addWidget(form)
    settings = (
        Setting("loss", "Loss", "number", 0.0049, "1/mm", 0.001, 0.01, (), "What is lost"),
        Setting("histories", "Histories", "integer", 10_000_000, "", 1, None),
        Setting("exact", "Exact", "flag", False),
        Setting("kernel", "Kernel", "choice", "b", choices=("a", "b")),
        Setting("comment", "Comment", "text", "none"),
    )
    form.show_settings(settings)
    assert form.values == {s.name: s.default for s in settings}
    assert form.findChild(QDoubleSpinBox, "form.loss").suffix() == " 1/mm"
    assert form.findChild(QDoubleSpinBox, "form.loss").toolTip() == "What is lost\n0.001 to 0.01 1/mm"
    form.findChild(QDoubleSpinBox, "form.loss").setValue(1.0)
    form.findChild(QSpinBox, "form.histories").setValue(0)
    form.findChild(QCheckBox, "form.exact").click()
    form.findChild(QComboBox, "form.kernel").setCurrentText("a")
    form.findChild(QLineEdit, "form.comment").setText("mine")
    changed = {"loss": 0.01, "histories": 1, "exact": True, "kernel": "a", "comment": "mine"}
    assert form.values == changed
    assert {s.name: s.checked(form.values[s.name]) for s in settings} == changed
    with qtbot.waitSignal(form.changed):
        form.reset()
    assert form.values == {s.name: s.default for s in settings}


def test_a_beam_quality_keeps_its_three_decimals(qtbot):
    form = BackendSettings("form")
    qtbot.addWidget(form)
    form.show_settings(PencilBeam().settings())
    form.findChild(QDoubleSpinBox, "form.tpr_20_10").setValue(0.647)
    assert form.values["tpr_20_10"] == 0.647
