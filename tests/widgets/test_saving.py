"""Saving in the window: nothing is asked while the disk works, and everything is said when it does not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from dicom_samples import save, square, structure_set, write_stack
from drawn import same_contents
from PySide6.QtWidgets import QLabel, QMessageBox, QPushButton, QToolButton
from reviewer_widgets.main_window import MainWindow
from shapely import box

from reviewer.edit import Edit, Swap
from reviewer.formula.derivations import derive
from reviewer.store import Workspace, automatic_folder


@pytest.fixture
def data(tmp_path):
    write_stack(tmp_path / "data", [0.0, 3.0, 6.0, 9.0])
    save(structure_set({"Liver": [square(0.0), square(3.0)], "Heart": [square(6.0)]}), tmp_path / "data" / "rs.dcm")
    return tmp_path / "data"


@pytest.fixture
def window_on(qtbot):
    """A window with these paths open; every one is closed in the end."""
    made = []

    def open_window(*paths: Path) -> MainWindow:
        window = MainWindow()
        made.append(window)
        window.show()
        window.open_paths(paths)
        settle(window, qtbot)
        return window

    yield open_window
    for window in made:
        window.saving.may_leave = lambda: True
        window.close()
        window.deleteLater()


def settle(window, qtbot):
    for _ in range(3):
        qtbot.wait(20)
        assert window.jobs.wait()
    qtbot.wait(20)


def stroke(window, qtbot, k: int) -> None:
    session = window.session
    before = session.case.structures[0]
    session.apply(
        Edit.of(f"Brush {k}", session.case, before, replace(before, planes={**before.planes, k: box(-9, -18, k, -11)}))
    )
    settle(window, qtbot)


def words(window) -> str:
    return window.findChild(QToolButton, "status.saved").text().strip()


def strip(window) -> str:
    return " / ".join(window.strip.messages)


def test_the_first_edit_begins_a_workspace_and_the_same_files_offer_it_again(window_on, qtbot, data):
    window = window_on(data)
    assert words(window) == "journal on"
    assert window.saving.offer.isHidden()
    assert not automatic_folder().exists()
    stroke(window, qtbot, 2)
    assert words(window).startswith("saved ")
    assert words(window).endswith(" · journal on")
    (file,) = automatic_folder().glob("*.reviewer")
    assert window.opening.recent()[0] == [str(file)], "what was edited is found again on the first page"
    stroke(window, qtbot, 3)
    window.session.undo()
    window.session.look(blend=0.25, hidden=frozenset({window.session.case.structures[1].id}))
    was = window.session.case
    assert window.close()

    window = window_on(data)
    assert not window.saving.offer.isHidden()
    button = window.findChild(QPushButton, "offer.take")
    assert button.text().startswith("Continue the edits of 20")
    assert button.text().endswith("(3 edits)")
    button.click()
    settle(window, qtbot)
    same_contents(window.session.case, was)
    assert window.session.history.redo_label == "Brush 3"
    assert window.session.view.blend == 0.25
    assert window.session.view.hidden == {was.structures[1].id}
    assert window.saving.offer.isHidden()
    assert strip(window) == ""


def test_an_edit_takes_the_offer_away_and_what_was_there_stays(window_on, qtbot, data):
    first = window_on(data)
    stroke(first, qtbot, 2)
    assert first.close()
    window = window_on(data)
    stroke(window, qtbot, 1)
    assert window.saving.offer.isHidden()
    assert "edits of before are kept" in window.status.said.whole()
    assert len(list(automatic_folder().glob("*.reviewer"))) == 2


def test_a_stroke_by_mistake_hides_no_earlier_edits(window_on, qtbot, data):
    first = window_on(data)
    for k in (2, 3):
        stroke(first, qtbot, k)
    was = first.session.case
    assert first.close()
    second = window_on(data)
    assert second.saving.offer.others_button.isHidden()
    stroke(second, qtbot, 1)
    assert second.close()

    window = window_on(data)
    assert window.findChild(QPushButton, "offer.take").text().endswith("(1 edit)")
    others = window.findChild(QPushButton, "offer.others")
    assert not others.isHidden()
    (earlier,) = others.menu().actions()
    assert earlier.text().endswith("(2 edits)")
    earlier.trigger()
    settle(window, qtbot)
    same_contents(window.session.case, was)
    assert window.saving.offer.isHidden()


def test_saved_as_it_moves_there_and_is_a_recent_case(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    window.saving.save_as(tmp_path / "mine.reviewer")
    assert window.opening.recent() == [[str(tmp_path / "mine.reviewer")], [str(data)]]
    assert list(automatic_folder().glob("*.reviewer")) == []
    stroke(window, qtbot, 3)
    window.actions_.trigger("file.save")
    assert str(tmp_path / "mine.reviewer") in window.findChild(QLabel, "status.said").whole()
    was = window.session.case
    assert window.close()
    window = window_on(tmp_path / "mine.reviewer")
    same_contents(window.session.case, was)
    assert window.saving.workspace.sources[0].sha256 is not None  # computed beside the window


def test_nothing_can_be_written_is_told_at_once_and_saving_elsewhere_helps(
    window_on, qtbot, data, tmp_path, monkeypatch
):
    (tmp_path / "no folder").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "no folder"))
    window = window_on(data)
    stroke(window, qtbot, 2)
    assert words(window).startswith("NOT SAVED: ")
    assert "NOT SAVED" in strip(window)
    stroke(window, qtbot, 3)
    assert len(window.strip.messages) == 1
    was = window.session.case
    answers = [QMessageBox.StandardButton.Cancel]
    monkeypatch.setattr(QMessageBox, "exec", lambda _: answers[0])
    assert not window.close()
    window.saving.save_as(tmp_path / "elsewhere.reviewer")
    assert words(window).endswith("journal on")
    answers.clear()
    assert window.close()  # nothing is asked any more
    same_contents(window_on(tmp_path / "elsewhere.reviewer").session.case, was)


def test_a_workspace_that_another_holds_is_read_only_and_names_him(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    window.saving.save_as(tmp_path / "x.reviewer")
    assert window.close()
    holder = Workspace.open(tmp_path / "x.reviewer", hold=True)
    window = window_on(tmp_path / "x.reviewer")
    assert words(window).startswith("read-only, held by ")
    assert "read-only, held by " in strip(window)
    stroke(window, qtbot, 3)
    assert words(window).startswith("NOT SAVED: read-only, held by ")
    window.saving.save_as(tmp_path / "mine.reviewer")
    assert words(window).endswith("journal on")
    holder.close()


def test_after_a_crash_the_strip_says_what_is_missing(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    window.saving.save_as(tmp_path / "x.reviewer")
    assert window.close()
    with closing(sqlite3.connect(tmp_path / "x.reviewer")) as connection, connection:
        connection.execute("INSERT INTO stroke VALUES ('2026-01-02T03:04:05+00:00', 'me', 'a stroke on Stomach')")
    window = window_on(tmp_path / "x.reviewer")
    assert "The program ended unexpectedly during a stroke on Stomach at 2026-01-0" in strip(window)


def test_a_changed_file_is_found_beside_the_window(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    assert all(s.sha256 for s in window.saving.workspace.sources)
    window.saving.save_as(tmp_path / "x.reviewer")
    assert window.close()
    file = data / "000.dcm"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    window = window_on(tmp_path / "x.reviewer")
    assert "000.dcm" in strip(window)
    assert "its content has changed" in strip(window)


def test_the_open_workspace_is_not_opened_twice(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    window.saving.save_as(tmp_path / "x.reviewer")
    case = window.session.case
    window.open_paths([tmp_path / "x.reviewer"])
    settle(window, qtbot)
    assert window.session.case is case


def test_a_picture_of_a_workspace_leaves_it_alone(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    stroke(window, qtbot, 2)
    window.saving.save_as(tmp_path / "x.reviewer")
    assert window.close()
    content = (tmp_path / "x.reviewer").read_bytes()
    window = MainWindow(remember=False)
    window.show()
    window.open_paths([tmp_path / "x.reviewer"])
    settle(window, qtbot)
    assert 2 in window.session.case.structures[0].planes
    assert strip(window) == ""
    assert not (tmp_path / "x.reviewer.lock").exists()
    window.close()
    window.deleteLater()
    assert (tmp_path / "x.reviewer").read_bytes() == content


def test_a_formula_that_was_undone_follows_again_after_reopening(window_on, qtbot, data, tmp_path):
    window = window_on(data)
    session = window.session
    group = session.case.structure_set(session.view.structure_set)
    derived = derive(session.case, group, "Ring", "Liver + 2 mm").structure
    window.derived._apply(Edit("Derive Ring", (Swap(group.id, None, derived),)))
    stroke(window, qtbot, 1)
    ring = session.case.structures[-1]
    assert ring.planes[1].area > derived.planes[1].area
    session.go_to(0)
    window.saving.save_as(tmp_path / "x.reviewer")
    assert window.close()
    window = window_on(tmp_path / "x.reviewer")
    assert "Ring" not in [s.name for s in window.session.case.structures]
    window.session.go_to(2)
    again = window.session.case.structures[-1]
    assert again.planes[1].symmetric_difference(ring.planes[1]).area < 1e-6 * ring.planes[1].area


def test_a_picture_keeps_no_journal(qtbot, data):
    window = MainWindow(remember=False)
    window.show()
    window.open_paths([data])
    settle(window, qtbot)
    stroke(window, qtbot, 2)
    assert not automatic_folder().exists()
    window.close()
    window.deleteLater()
