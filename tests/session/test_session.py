"""The one door: what changes is announced once, after it is so, and undone exactly."""

from dataclasses import replace

import numpy as np
import pytest
from shapely import box

from reviewer.case import Case, Dose, Image, Plan, Prescription, Registration, Structure, StructureSet
from reviewer.changes import CaseOpened, HistoryChanged, StructuresChanged, ViewChanged
from reviewer.edit import Edit, Swap
from reviewer.errors import InputError
from reviewer.geometry.grid import Grid
from reviewer.scene import resolve
from reviewer.session import Session, with_dose_as_image


def grid(frame: str) -> Grid:
    return Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (20, 20), np.arange(0.0, 30.0, 3.0), frame)


def image(name: str, frame: str) -> Image:
    return Image(name, "MR", name, grid(frame), np.zeros((10, 20, 20), np.int16))


def structure(number: int, frame: str, kind: str = "ORGAN") -> Structure:
    return Structure(f"s{number}{frame}", f"S{number}", grid(frame), {4: box(2, 4, 6, 8)}, kind, number=number)


@pytest.fixture
def case() -> Case:
    sets = tuple(
        StructureSet(f"set_{f}", f, (structure(1, f), structure(2, f, "GTV")), image_id=f, frame_of_reference_uid=f)
        for f in ("sim", "day")
    )
    doses = tuple(
        Dose(f"dose_{f}", f, grid(f), np.zeros((10, 20, 20), np.float32), plan_id="plan", structure_set_id=f"set_{f}")
        for f in ("sim", "day")
    )
    return Case(
        images=(image("sim", "sim"), image("day", "day"), image("lost", "nowhere")),
        structure_sets=sets,
        doses=doses,
        plans=(Plan("plan", "P", prescriptions=(Prescription("PTV", 50.0),)),),
        registrations=(Registration("r", "", "day", "sim", np.eye(4)),),
    )


@pytest.fixture
def heard() -> list:
    return []


def listen(session: Session, heard: list) -> None:
    session.changed.connect(lambda change: heard.append(change), check_nargs=False)


def test_first_view_is_the_newest_treated_anatomy_with_its_dose_at_the_target(case: Case) -> None:
    view = Session(case).view
    assert (view.base, view.structure_set, view.dose) == ("day", "set_day", "dose_day")
    assert view.reference_gy == 50.0
    assert view.point_mm == (4.0, 6.0, 12.0)


def test_looking_announces_the_fields_that_differ_and_nothing_else(case: Case, heard: list) -> None:
    session = Session(case)
    listen(session, heard)
    session.look(blend=0.5, overlay="sim")
    session.look(overlay="sim")
    assert heard == [ViewChanged(frozenset({"overlay"}))]


def test_opening_starts_anew(case: Case, heard: list) -> None:
    session = Session(case)
    before = session.case.structures[0]
    session.apply(Edit.of("Rename", session.case, before, replace(before, name="Liver")))
    listen(session, heard)
    session.open(Case())
    assert heard == [CaseOpened()]
    assert session.history.undo_label is None
    assert session.scene.base is None


def test_undo_restores_the_very_structure_and_redo_the_edited_one(case: Case, heard: list) -> None:
    session = Session(case)
    listen(session, heard)
    before = session.case.structures[1]
    after = replace(before, planes={4: before.planes[4], 5: box(0, 0, 1, 1)})
    session.apply(Edit.of("Brush S2", session.case, before, after))
    assert heard == [StructuresChanged(frozenset({before.id}), frozenset({5})), HistoryChanged()]
    assert session.case.structure(before.id) is after
    session.undo()
    assert session.case.structure(before.id) is before
    assert (session.history.undo_label, session.history.redo_label) == (None, "Brush S2")
    session.redo()
    assert session.case.structure(before.id) is after
    session.redo()
    session.undo()
    session.undo()
    assert session.case.structure(before.id) is before


def test_an_edit_of_a_stale_state_is_refused_and_changes_nothing(case: Case) -> None:
    session = Session(case)
    before = session.case.structures[0]
    second = Edit.of("Two", session.case, before, replace(before, name="Two"))
    session.apply(Edit.of("One", session.case, before, replace(before, name="One")))
    with pytest.raises(InputError, match="has changed since"):
        session.apply(second)
    assert session.case.structures[0].name == "One"
    assert session.history.undo_label == "One"


def test_scene_says_what_is_not_registered_instead_of_showing_it(case: Case) -> None:
    session = Session(case)
    session.look(overlay="lost")
    assert session.scene.overlay is None
    assert session.scene.overlay_refusal == "lost is not registered to this image"
    session.look(overlay="sim")
    assert session.scene.overlay is not None
    session.look(base="lost")
    assert session.scene.drawn == ()
    assert "not registered" in session.scene.contour_refusal
    assert "not registered" in session.scene.dose_refusal


def test_scenes_of_the_same_view_are_equal(case: Case) -> None:
    session = Session(case)
    first = session.scene
    session.look(blend=0.25)
    session.look(blend=0.5)
    assert session.scene == first
    assert session.scene is not first


def test_hidden_structures_are_not_drawn(case: Case) -> None:
    session = Session(case)
    session.look(hidden=frozenset({"s1day"}))
    assert [d.structure.id for d in session.scene.drawn] == ["s2day"]


def test_a_batch_with_a_new_and_a_deleted_structure_is_one_step(case: Case) -> None:
    session = Session(case)
    old, kept = session.case.structure_set("set_day").structures
    new = replace(structure(3, "day"), name="PTV")
    session.apply(Edit("Make targets", (Swap("set_day", None, new), Swap("set_day", old, None))))
    assert session.case.structure_set("set_day").structures == (kept, new)
    session.undo()
    assert {s.id for s in session.case.structure_set("set_day").structures} == {old.id, kept.id}
    assert session.case.structure(old.id) is old


def test_a_batch_that_cannot_be_done_whole_is_not_done_at_all(case: Case) -> None:
    session = Session(case)
    new = structure(3, "day")
    with pytest.raises(InputError, match="not in the case"):
        session.apply(Edit("Half", (Swap("set_day", None, new), Swap("elsewhere", None, new))))
    assert session.case is case
    assert session.history.undo_label is None


def test_a_dose_that_belongs_to_nothing_is_shown_only_over_an_image_of_its_frame(case: Case) -> None:
    loose = [replace(d, plan_id=None, structure_set_id=None) for d in case.doses]
    apart = replace(loose[0], grid=grid("elsewhere"))
    assert Session(replace(case, doses=(apart,))).view.dose is None
    assert Session(replace(case, doses=(apart, loose[1]))).view.dose == "dose_day"


def test_the_dose_of_the_newest_plan_comes_first(case: Case) -> None:
    plans = (Plan("plan", "P", date="2025-03-02"), Plan("new", "N", date="2025-03-07"))
    adapted = replace(case.doses[1], id="adapted", plan_id="new")
    assert Session(replace(case, plans=plans, doses=(adapted, *case.doses))).view.dose == "adapted"


def test_without_an_image_the_dose_grid_is_what_is_looked_at(case: Case) -> None:
    gray = np.array([[[0.0, 1.0], [np.nan, 4.0]]], np.float32)
    grid = Grid(np.eye(3), (0.0, 0.0), (2.0, 2.0), (2, 2), np.array([5.0]), "somewhere")
    alone = Case(doses=(Dose("d", "Phantom", grid, gray),))
    seen = with_dose_as_image(alone)
    session = Session(seen)
    base = session.scene.base
    assert base is not None
    assert base.image.grid is grid
    assert (base.image.modality, base.image.unit) == ("RTDOSE", "Gy")
    assert (base.window.level, base.window.width) == (2.0, 4.0)
    assert session.scene.dose is not None
    assert session.scene.dose_refusal == ""
    assert with_dose_as_image(case) is case
    assert with_dose_as_image(Case()).images == ()


def test_structures_that_lie_on_no_image_do_not_come_first(case: Case) -> None:
    """Of several sets without a dose the last whose frame an image has, else the last."""
    elsewhere = StructureSet("else", "elsewhere", (), frame_of_reference_uid="far away")
    frame = case.images[0].grid.frame_of_reference_uid
    here = StructureSet("here", "here", (), frame_of_reference_uid=frame)
    assert Session(Case(images=case.images, structure_sets=(here, elsewhere))).view.structure_set == "here"
    assert Session(Case(images=case.images, structure_sets=(elsewhere,))).view.structure_set == "else"


def test_the_dose_of_a_beam_is_not_begun_with_though_it_is_newer(case: Case) -> None:
    beam = replace(case.doses[1], id="beam", summation="BEAM", date="2031-01-01")
    assert Session(replace(case, doses=(*case.doses, beam))).view.dose != "beam"
    assert Session(replace(case, doses=(beam,))).view.dose == "beam"


def test_a_stroke_that_moves_on_leaves_the_scene_as_it_would_be_resolved_anew(case: Case) -> None:
    session = Session(case)
    organ = case.structure_sets[1].structures[0]
    base = session.scene.base
    for size in (5, 9):
        session.look(stroke=replace(organ, planes={4: box(0, 0, size, size)}))
        assert session.scene == resolve(session.case, session.view)
        assert session.scene.base is base
    for wishes in ({"stroke": replace(organ, planes={})}, {"hidden": frozenset({organ.id})}, {"stroke": None}):
        session.look(**wishes)
        assert session.scene == resolve(session.case, session.view)
