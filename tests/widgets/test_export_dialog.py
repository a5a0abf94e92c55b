"""The export dialogue: what is chosen is written, what cannot be is said, and nothing is remembered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pydicom
import pytest
import shapely
import SimpleITK as sitk
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QLabel,
    QLineEdit,
    QListWidget,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
)
from reviewer_widgets.main_window import MainWindow

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.dicom.write import fresh_uid
from reviewer.geometry.grid import Grid


def boxes() -> Case:
    """Two boxes on an MR of 2 mm voxels, 20 x 20 x 10 mm and 10 x 10 x 10 mm, on voxel borders; and a set without contours."""
    frame, series = fresh_uid(), fresh_uid()
    grid = Grid(np.eye(3), (-29.0, -29.0), (2.0, 2.0), (30, 30), np.arange(10) * 2.0, frame)
    image = Image(series, "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")
    low = Structure(
        "set#1", "Liver", grid, {k: shapely.box(-10, -10, 10, 10) for k in range(2, 7)}, "ORGAN", (1, 2, 3), series, 1
    )
    high = Structure(
        "set#2", "GTV", grid, {k: shapely.box(-4, -4, 6, 6) for k in range(2, 7)}, "GTV", (9, 8, 7), series, 2
    )
    group = StructureSet("set", "Day", (low, high), series, frame, "2026-01-02", "APPROVED")
    return Case(Patient("Doe^Jane", "p1"), (image,), (group,))


@pytest.fixture
def window(qtbot, qapp):
    window = MainWindow(remember=False)
    qtbot.addWidget(window)
    window.show()
    window.session.open(boxes())
    qtbot.wait(10)
    yield window
    window.close()


def opened(window, qtbot) -> QDialog:
    window.actions_.trigger("file.export")
    return find(window, QDialog, "export")


def find(parent, kind, name):
    found = parent.findChild(kind, name)
    assert found is not None, name
    return found


def write(window, dialog, qtbot, folder) -> None:
    find(dialog, QLineEdit, "export.folder").setText(str(folder))
    qtbot.mouseClick(find(dialog, QPushButton, "export.write"), Qt.MouseButton.LeftButton)
    assert window.jobs.wait()
    qtbot.wait(10)


def test_an_rtstruct_is_written_and_reported(window, qtbot, tmp_path):
    dialog = opened(window, qtbot)
    assert not find(dialog, QPushButton, "export.write").isEnabled()
    assert "no folder is chosen" in find(dialog, QPushButton, "export.write").toolTip()
    write(window, dialog, qtbot, tmp_path / "out")
    assert find(dialog, QLabel, "export.headline").text() == "1 file was written"
    path = tmp_path / "out" / "RS_Day.dcm"
    assert str(path) in find(dialog, QPlainTextEdit, "export.report").toPlainText()
    ds = pydicom.dcmread(path)
    assert [r.ROIName for r in ds.StructureSetROISequence] == ["Liver", "GTV"]
    assert ds.ApprovalStatus == "APPROVED"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["RS_Day.dcm"]


def test_all_formats_of_one_structure(window, qtbot, tmp_path):
    dialog = opened(window, qtbot)
    find(dialog, QListWidget, "export.structures").item(0).setCheckState(Qt.CheckState.Unchecked)
    assert "unapproved" in find(dialog, QLabel, "export.approval").text()
    assert not find(dialog, QRadioButton, "export.merged").isEnabled()
    for name in ("seg", "nifti"):
        find(dialog, QCheckBox, f"export.{name}").setChecked(True)
    find(dialog, QRadioButton, "export.merged").setChecked(True)
    write(window, dialog, qtbot, tmp_path)
    assert find(dialog, QLabel, "export.note").text() == ""
    assert [r.ROIName for r in pydicom.dcmread(tmp_path / "RS_Day.dcm").StructureSetROISequence] == ["GTV"]
    assert [s.SegmentLabel for s in pydicom.dcmread(tmp_path / "SEG_Day.dcm").SegmentSequence] == ["GTV"]
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "LABELS_Day" / "labels.nii.gz")))
    assert labels.sum() == 5 * 5 * 5


def test_a_file_that_is_there_is_refused_and_kept(window, qtbot, tmp_path):
    (tmp_path / "RS_Day.dcm").write_text("mine")
    dialog = opened(window, qtbot)
    write(window, dialog, qtbot, tmp_path)
    assert "not overwritten" in find(dialog, QLabel, "export.note").text()
    assert (tmp_path / "RS_Day.dcm").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["RS_Day.dcm"]
    write(window, dialog, qtbot, tmp_path / "else")
    assert find(dialog, QLabel, "export.headline").text() == "1 file was written"


def test_without_identity(window, qtbot, tmp_path):
    dialog = opened(window, qtbot)
    find(dialog, QCheckBox, "export.anonymise").setChecked(True)
    write(window, dialog, qtbot, tmp_path)
    assert "11 files were written" in find(dialog, QLabel, "export.headline").text()
    assert "faces" in find(dialog, QPlainTextEdit, "export.report").toPlainText()
    for path in tmp_path.rglob("*.dcm"):
        assert b"Doe" not in path.read_bytes()


def test_nothing_is_remembered(window, qtbot, tmp_path):
    before = set(QSettings().allKeys())
    dialog = opened(window, qtbot)
    write(window, dialog, qtbot, tmp_path)
    dialog.reject()
    qtbot.wait(10)
    assert set(QSettings().allKeys()) == before
    assert find(opened(window, qtbot), QLineEdit, "export.folder").text() == ""


def test_without_structures_it_says_why_not(window, qtbot):
    window.session.open(replace(boxes(), structure_sets=()))
    qtbot.wait(10)
    assert not window.actions_["file.export"].isEnabled()
    assert "there are no structures" in window.actions_["file.export"].toolTip()


def test_another_case_closes_it(window, qtbot):
    dialog = opened(window, qtbot)
    closed = []
    dialog.finished.connect(closed.append)
    window.session.open(boxes())
    qtbot.waitUntil(lambda: bool(closed))


def test_nothing_survives_the_window(qtbot, no_survivors, tmp_path):
    window = MainWindow(remember=False)
    window.show()
    window.session.open(boxes())
    qtbot.wait(10)
    dialog = opened(window, qtbot)
    write(window, dialog, qtbot, tmp_path)
    window.close()
    window.deleteLater()
    del dialog
