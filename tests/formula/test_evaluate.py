"""Values of formulas against closed form, and the law that following edits gives what evaluating anew gives."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import circle, linear_dose, planes_grid, rectangle, sphere, stack
from shapely import box, union_all
from shapely.affinity import translate

from reviewer.case import Case, Plan, Prescription, Registration, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.errors import GeometryError, InputError
from reviewer.formula.derivations import Derivations, derive
from reviewer.formula.grammar import MOST_WORDS, FormulaError
from reviewer.geometry.grid import Grid
from reviewer.geometry.region import region_of_rings
from reviewer.geometry.volume import volume_cc
from reviewer.session import Session

GRID = planes_grid(np.arange(-40.5, 41, 3.0))


def named(structure: Structure, name: str) -> Structure:
    return replace(structure, id=name, name=name, image_id="mr")


def block(name: str, u0: float, v0: float, u1: float, v1: float, low: float = -15, high: float = 15) -> Structure:
    return named(stack(GRID, lambda w: [rectangle(u0, v0, u1, v1)] if low < w < high else None), name)


def case_of(*structures: Structure, doses=(), plans=()) -> Case:
    return Case(
        structure_sets=(StructureSet("set", "Set", structures, "mr", "frame"),), doses=tuple(doses), plans=tuple(plans)
    )


def value(text: str, *structures: Structure, **more) -> Structure:
    case = case_of(*structures, **more)
    return derive(case, case.structure_sets[0], "result", text).structure


def cc(structure: Structure) -> float:
    return volume_cc(structure)


@pytest.mark.parametrize(
    ("text", "area"),
    [
        ("A | B", 20 * 20 + 20 * 20 - 10 * 20),
        ("A & B", 10 * 20),
        ("A - B", 10 * 20),
        ("A ^ B", 2 * 10 * 20),
        ("(A | B) - (A & B)", 2 * 10 * 20),
        ("B - B", 0),
        ("fill(Ring)", 900),
        ("largest(A | Far)", 400),
    ],
)
def test_set_operations_on_rectangles(text: str, area: float) -> None:
    a, b, far = block("A", -10, -10, 10, 10), block("B", 0, -10, 20, 10), block("Far", 30, 30, 35, 35)
    ring = named(
        stack(GRID, lambda w: [rectangle(-15, -15, 15, 15), rectangle(-5, -5, 5, 5)] if abs(w) < 15 else None), "Ring"
    )
    result = value(text, a, b, far, ring)
    assert {k: r.area for k, r in result.planes.items()} == pytest.approx(dict.fromkeys(a.planes, area) if area else {})


def test_the_longest_formula_is_evaluated() -> None:
    text = " | ".join(["A"] * (MOST_WORDS // 2))
    assert cc(value(text, block("A", 0, 0, 10, 10))) == pytest.approx(cc(block("A", 0, 0, 10, 10)))


def test_ptvopt_is_the_sphere_less_the_lens() -> None:
    """PTV 15 mm - (OAR 10 mm + 5 mm): the lens of two equal spheres of radius r at distance d has pi (4 r + d) (2 r - d)^2 / 12."""
    ptv = named(sphere(GRID, 15.0), "PTV")
    oar = named(sphere(GRID, 10.0, (20.0, 0.0, 0.0)), "Stomach")
    lens = math.pi * (4 * 15 + 20) * (2 * 15 - 20) ** 2 / 12
    result = value("PTV - (Stomach + 5 mm)", ptv, oar)
    assert cc(result) * 1000 == pytest.approx(4 / 3 * math.pi * 15**3 - lens, rel=0.015)


def test_ring_is_the_shell_between_two_spheres() -> None:
    """On slices of 2 mm; between slices of 3 mm the two poles of the hollow cost 1.8 % of a shell of 6 mm."""
    gtv = replace(sphere(planes_grid(np.arange(-41.0, 42, 2.0)), 12.0), name="GTV", image_id="mr")
    result = value("ring(GTV, 4 mm, 10 mm)", gtv)
    assert cc(result) * 1000 == pytest.approx(4 / 3 * math.pi * (22**3 - 16**3), rel=0.01)


@pytest.mark.parametrize("text", ["A + 0 mm", "A - 0 mm", "expand(A, left=0 mm)", "(A | B) + 0 mm"])
def test_no_margin_leaves_everything_as_it_was(text: str) -> None:
    block_a, block_b = block("A", -10, -8, 10, 8), block("B", -4, -4, 4, 4)
    result = value(text, block_a, block_b)
    assert {k: r.symmetric_difference(block_a.planes[k]).area for k, r in result.planes.items()} == dict.fromkeys(
        block_a.planes, 0.0
    )


def test_smooth_takes_spikes_and_leaves_the_rest() -> None:
    def spiky(w: float):
        return [circle(20.0), rectangle(19.0, -0.5, 30.0, 0.5)] if abs(w) < 15 else None

    spike = stack(GRID, lambda w: None)
    planes = {
        k: union_all([region_of_rings([ring]) for ring in spiky(w)])
        for k, w in enumerate(GRID.positions_mm)
        if spiky(float(w))
    }
    result = value("smooth(A, 2 mm)", named(replace(spike, planes=planes), "A"))
    for region in result.planes.values():
        assert region.bounds[2] < 20.5
        assert region.area == pytest.approx(math.pi * 400, rel=0.005)


@pytest.mark.parametrize(("level", "edge"), [("50 Gy", 0.0), ("55 Gy", 10.0), ("90 %", -10.0)])
def test_isodose_of_a_linear_dose_is_a_half_plane(level: str, edge: float) -> None:
    """Dose 50 Gy + 0.5 Gy/mm x: 55 Gy lies at x = 10; 90 % of 50 Gy is 45 Gy, at x = -10."""
    dose = replace(linear_dose(3.0, (0.5, 0, 0), half=45.0), label="plan", plan_id="p")
    plan = Plan("p", "P", prescriptions=(Prescription("PTV", 50.0),))
    body = block("Body", -30, -30, 30, 30)
    result = value(f"isodose(plan, {level}) & Body", body, doses=[dose], plans=[plan])
    assert sorted(result.planes) == sorted(body.planes)
    for region in result.planes.values():
        np.testing.assert_allclose(region.bounds, (edge, -30, 30, 30), atol=1e-3)


def test_an_isodose_of_a_set_on_two_frames_lies_where_the_dose_is() -> None:
    """The second body's frame lies 10 mm to the left of that of the set and of the dose: its x = 0 is the dose's x = 10."""
    dose = replace(linear_dose(3.0, (0.5, 0, 0), half=45.0), label="plan")
    other = replace(block("Body", -30, -30, 30, 30), grid=replace(GRID, frame_of_reference_uid="other"))
    shift = np.eye(4)
    shift[0, 3] = 10.0
    case = replace(case_of(other, doses=[dose]), registrations=(Registration("r", "REG", "other", "frame", shift),))
    result = derive(case, case.structure_sets[0], "result", "isodose(plan, 55 Gy) & Body").structure
    for region in result.planes.values():
        np.testing.assert_allclose(region.bounds, (0, -30, 30, 30), atol=1e-3)


def test_an_isodose_ends_with_the_voxels_of_its_dose_and_says_so() -> None:
    """5 Gy everywhere in voxels of 3 mm that end at 31.5 mm; the last planes within lie at 28.5 mm. 5 Gy are at least 5 Gy."""
    dose = replace(linear_dose(3.0, (0, 0, 0), at_origin=5.0, half=30.0), label="plan")
    body = block("Body", -20, -20, 20, 20)
    case = case_of(body, doses=[dose])
    derived = derive(case, case.structure_sets[0], "result", "isodose(plan, 5 Gy) | Body")
    assert cc(derived.structure) == pytest.approx(6.3 * 6.3 * 6.0, rel=1e-4)
    (warning,) = derived.warnings
    assert "not known" in warning
    assert not derive(case, case.structure_sets[0], "result", "isodose(plan, 4 Gy) & Body").warnings
    assert not derive(case, case.structure_sets[0], "result", "isodose(plan, 6 Gy) | Body").warnings


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Liver & isodose(plan, 5 Gy)", True),
        ("isodose(plan, 5 Gy) & Liver", True),
        ("Liver - isodose(plan, 5 Gy)", True),
        ("isodose(plan, 5 Gy) & (Liver - 1 mm)", True),
        ("GTV | (Liver & isodose(plan, 5 Gy))", True),
        ("GTV & isodose(plan, 5 Gy)", False),
        ("GTV - isodose(plan, 5 Gy)", False),
        ("isodose(plan, 5 Gy) & GTV", False),
        ("GTV & (Liver & isodose(plan, 5 Gy))", False),
        ("GTV & (isodose(plan, 5 Gy) - 5 mm)", False),
        ("GTV & (isodose(plan, 5 Gy) - 12 mm)", True),
        ("GTV - ring(isodose(plan, 5 Gy), 12 mm)", True),
        ("GTV & smooth(isodose(plan, 5 Gy), 2 mm)", False),
        ("GTV & largest(isodose(plan, 5 Gy))", True),
        ("Liver & isodose(plan, 6 Gy)", False),
        ("GTV & (GTV + 30 mm)", False),
        ("GTV - ((GTV + 30 mm) - 20 mm)", False),
        ("GTV & ((GTV + 30 mm) - 28 mm)", True),
    ],
)
def test_what_is_cut_off_is_told_where_it_is_missed(text: str, told: bool) -> None:
    """The dose of 5 Gy ends at 31.5 mm all around, the image at 40.5 mm; the liver goes on to 36 mm in u, the GTV ends at 20 mm (13.5 mm in w)."""
    dose = replace(linear_dose(3.0, (0, 0, 0), at_origin=5.0, half=30.0), label="plan")
    case = case_of(block("Liver", -36, -20, 20, 20), block("GTV", -20, -20, 20, 20), doses=[dose])
    warnings = derive(case, case.structure_sets[0], "result", text).warnings
    assert bool([w for w in warnings if "cut off" in w]) == told


def test_a_structure_on_its_own_planes_is_carried_on_as_far_as_the_margin() -> None:
    own = Grid(np.eye(3), (0, 0), (1, 1), (100, 100), np.arange(-9.0, 10, 3.0), "frame")
    ball = replace(sphere(own, 10.0), name="GTV", id="GTV")
    result = value("GTV + 6 mm", ball)
    assert cc(result) * 1000 == pytest.approx(4 / 3 * math.pi * 16**3, rel=0.01)


def test_structures_on_other_slices_of_the_frame_are_cut_there() -> None:
    fine = named(sphere(planes_grid(np.arange(-20.0, 21, 1.0)), 12.0), "Fine")
    coarse = named(sphere(GRID, 20.0), "Coarse")
    result = value("Coarse - Fine", coarse, fine)
    assert result.grid is GRID
    assert cc(result) * 1000 == pytest.approx(4 / 3 * math.pi * (20**3 - 12**3), rel=0.01)


@pytest.mark.parametrize(
    ("text", "told"),
    [("A | B", True), ("A ^ B", True), ("A & B", False), ("A - B", False), ("B | A", False), ("A - (B + 5 mm)", False)],
)
def test_what_is_drawn_beyond_the_planes_of_the_first_is_told(text: str, told: bool) -> None:
    """A ends with its planes at 12 mm, B goes on to 39 mm."""
    a = named(stack(planes_grid(np.arange(-10.5, 11, 3.0)), lambda w: [rectangle(-10, -10, 10, 10)]), "A")
    case = case_of(a, block("B", 0, -10, 20, 10, -38, 38))
    warnings = derive(case, case.structure_sets[0], "result", text).warnings
    assert warnings == (("“B” is cut off where the image ends: 25.5 mm of it lie beyond",) if told else ())


def test_a_margin_beyond_the_image_warns() -> None:
    case = case_of(named(sphere(GRID, 10.0, (0, 0, 36.0)), "GTV"))
    derived = derive(case, case.structure_sets[0], "PTV", "GTV + 5 mm")
    assert len(derived.warnings) == 1
    assert "“GTV + 5 mm” is cut off where the image ends" in derived.warnings[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Stomac + 5 mm", "no structure “Stomac” .* is “Stomach” meant"),
        ("isodose(plan, 5 Gy)", "no structure is named"),
        ("isodose(first, 50 Gy) & Stomach", "no dose “first”"),
    ],
)
def test_what_does_not_exist(text: str, message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        value(text, block("Stomach", 0, 0, 5, 5), doses=[replace(linear_dose(3.0, (0.5, 0, 0)), label="plan")])


def test_other_frames_names_twice_and_no_prescription() -> None:
    a = block("A", 0, 0, 5, 5)
    other = replace(a, id="B", name="B", grid=planes_grid(np.arange(-40.5, 41, 3.0), frame="elsewhere"))
    with pytest.raises(GeometryError, match="different frames of reference"):
        value("A | B", a, other)
    with pytest.raises(FormulaError, match="there are 2 structures “A”"):
        value("A + 5 mm", a, replace(a, id="A2"))
    with pytest.raises(FormulaError, match="no prescription"):
        value("A & isodose(plan, 95 %)", a, doses=[replace(linear_dose(3.0, (0.5, 0, 0)), label="plan")])
    with pytest.raises(InputError, match=r"there is a structure .* already"):
        value("A | A", replace(a, id="r", name="result"), a)


FORMULAS = {
    "PTV": "GTV + 5 mm",
    "PTVopt": "PTV - ((Stomach | Heart) + 5 mm)",
    "Ring": "ring(PTV, 10 mm)",
    "Rest": "Liver - GTV",
}


def live_session() -> Session:
    ball = named(sphere(GRID, 9.0), "GTV")
    session = Session(
        case_of(
            ball, block("Stomach", 12, -20, 30, 20), block("Heart", -8, -30, 8, -16), block("Liver", -30, -30, 11, 30)
        )
    )
    derivations = Derivations()
    session.follow(derivations)
    for name, text in FORMULAS.items():
        group = session.case.structure_sets[0]
        derived = derive(session.case, group, name, text)
        derivations.adopt(group, derived)
        session.apply(Edit(f"Make {name}", (Swap("set", None, derived.structure),)))
    return session


def structure(session: Session, name: str) -> Structure:
    return next(s for s in session.case.structures if s.name == name)


def areas(item: Structure) -> dict[int, float]:
    return {k: r.area for k, r in item.planes.items()}


def anew(session: Session, name: str) -> Structure:
    group = session.case.structure_sets[0]
    return derive(session.case, group, "anew", structure(session, name).formula or "").structure


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["GTV", "Stomach", "Liver"]),
            st.integers(8, 18),
            st.integers(-20, 15),
            st.booleans(),
            st.sampled_from(["unforeseen", "foreseen", "another foreseen"]),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=8)
def test_following_strokes_is_the_same_as_evaluating_anew(strokes: list) -> None:
    session = live_session()
    start = {s.name: areas(s) for s in session.case.structures}
    for name, plane, at, draw, rest in strokes:
        before = structure(session, name)
        dab = box(at, at, at + 9, at + 7)
        old = before.planes.get(plane)
        new = dab if old is None else (old | dab if draw else old - dab)
        planes = {k: r for k, r in before.planes.items() if k != plane} | ({} if new.is_empty else {plane: new})
        edit = Edit.of(f"Brush {name}", session.case, before, replace(before, planes=planes))
        if rest == "foreseen":
            seen = session.foresee(edit)().structures
            session.apply(edit)
            assert session.case.structures == seen
            continue
        if rest == "another foreseen":
            other = {k: r for k, r in before.planes.items() if k != plane + 1} | {plane: box(at, at, at + 20, at + 3)}
            session.foresee(Edit.of("Brush", session.case, before, replace(before, planes=other)))()
        session.apply(edit)
    for name in FORMULAS:
        assert areas(structure(session, name)) == pytest.approx(areas(anew(session, name)), rel=1e-6, abs=1e-6), name
    for _ in strokes:
        session.undo()
    for name, expected in start.items():
        assert areas(structure(session, name)) == pytest.approx(expected, rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("foreseen", [False, True])
def test_undo_brings_the_very_same_planes_back(foreseen: bool) -> None:
    """Also those that no stroke reached, or only a later one, or one that was foreseen and not made: whatever is known of them need not be
    found out again."""
    session = live_session()
    states = [session.case.structures]
    for plane, at in ((15, 0), (14, 3), (12, -6), (15, 6)):
        gtv = structure(session, "GTV")
        if foreseen:
            other = {**gtv.planes, plane - 1: gtv.planes[plane - 1] | box(at, at, at + 12, at + 2)}
            session.foresee(Edit.of("Brush GTV", session.case, gtv, replace(gtv, planes=other)))()
        drawn = {**gtv.planes, plane: gtv.planes[plane] | box(at, at, at + 9, at + 7)}
        session.apply(Edit.of("Brush GTV", session.case, gtv, replace(gtv, planes=drawn)))
        states.append(session.case.structures)
    for state in states[-2::-1]:
        session.undo()
        assert all(now.same_shape(then) for now, then in zip(session.case.structures, state, strict=True))


def test_one_stroke_recomputes_only_what_it_can_reach() -> None:
    session = live_session()
    heard = []
    session.changed.connect(lambda change: heard.append(change), check_nargs=False)
    before = structure(session, "Heart")
    rest, ring = structure(session, "Rest"), structure(session, "Ring")
    plane = min(before.planes)
    session.apply(
        Edit.of("Brush", session.case, before, replace(before, planes={**before.planes, plane: box(-9, -31, 9, -15)}))
    )
    assert structure(session, "Rest") is rest
    assert structure(session, "Ring") is ring
    assert all("Rest" not in getattr(c, "structure_ids", ()) for c in heard)


def test_a_recoloured_derived_structure_can_be_undone_after_its_source_moved() -> None:
    session = live_session()
    ptv = structure(session, "PTV")
    session.apply(Edit.of("Recolour PTV", session.case, ptv, replace(ptv, colour=(1, 2, 3))))
    gtv = structure(session, "GTV")
    middle = GRID.nearest_plane(0.0)
    grown = replace(gtv, planes={**gtv.planes, middle: gtv.planes[middle].buffer(3)})
    session.apply(Edit.of("Brush GTV", session.case, gtv, grown))
    assert structure(session, "PTV").colour == (1, 2, 3)
    session.undo()
    session.undo()
    assert structure(session, "PTV").colour == ptv.colour
    assert areas(structure(session, "PTV")) == pytest.approx(areas(ptv))
    session.redo()
    session.redo()
    assert areas(structure(session, "PTV")) == pytest.approx(areas(anew(session, "PTV")))


def test_what_is_done_again_after_it_was_taken_back_is_followed() -> None:
    """The same slice moved twice: there and back all planes are remembered, and none is computed."""
    session = live_session()
    middle = GRID.nearest_plane(0.0)
    for _ in range(2):
        gtv = structure(session, "GTV")
        planes = {**gtv.planes, middle: translate(gtv.planes[middle], 3.0)}
        session.apply(Edit.of("Move GTV", session.case, gtv, replace(gtv, planes=planes)))
    for step in (session.undo, session.redo, session.undo, session.undo, session.redo, session.redo):
        step()
        for name in FORMULAS:
            made, again = structure(session, name).planes, anew(session, name).planes
            assert made.keys() == again.keys(), name
            assert all(made[k].symmetric_difference(again[k]).area < 1e-6 for k in made), name


def test_a_frozen_structure_stays_and_a_thawed_one_catches_up() -> None:
    session = live_session()
    ptv = structure(session, "PTV")
    session.apply(Edit.of("Freeze PTV", session.case, ptv, replace(ptv, frozen=True)))
    gtv = structure(session, "GTV")
    session.apply(Edit.of("Clear GTV", session.case, gtv, replace(gtv, planes={})))
    frozen = structure(session, "PTV")
    assert areas(frozen) == areas(ptv)
    session.apply(Edit.of("Thaw PTV", session.case, frozen, replace(frozen, frozen=False)))
    assert structure(session, "PTV").planes == {}
    assert structure(session, "PTVopt").planes == {}


def test_deleting_what_a_formula_needs_is_refused_and_changes_nothing() -> None:
    session = live_session()
    case = session.case
    with pytest.raises(FormulaError, match="no structure “GTV”"):
        session.apply(Edit("Delete GTV", (Swap("set", structure(session, "GTV"), None),)))
    assert session.case is case


def test_a_formula_that_never_could_be_evaluated_holds_up_no_other() -> None:
    """Opened without the dose that it needs, it stays without contours, as does what is made from it; all others follow the stroke."""
    session = live_session()
    (group,) = session.case.structure_sets
    bare = [
        Structure(name, name, GRID, {}, formula=text)
        for name, text in (("Hot", "isodose(nowhere, 20 Gy) & Liver"), ("Around", "Hot + 5 mm"))
    ]
    derivations = Derivations()
    opened = Session(replace(session.case, structure_sets=(replace(group, structures=(*bare, *group.structures)),)))
    opened.follow(derivations)
    gtv = structure(opened, "GTV")
    opened.apply(Edit.of("Clear GTV", opened.case, gtv, replace(gtv, planes={})))
    assert structure(opened, "PTV").empty
    assert derivations.unable.keys() == {"Hot", "Around"}
    assert "no dose “nowhere”" in str(derivations.unable["Hot"])
    assert "“Hot” cannot be evaluated itself" in str(derivations.unable["Around"])
    with pytest.raises(
        FormulaError, match="no structure “GTV”"
    ):  # PTV could be evaluated, though nothing is left of it now
        opened.apply(Edit("Delete GTV", (Swap("set", structure(opened, "GTV"), None),)))


def test_a_circle_is_refused() -> None:
    session = live_session()
    ptv = structure(session, "PTV")
    with pytest.raises(FormulaError, match=r"in a circle, PTV → PTVopt → PTV|PTVopt → PTV → PTVopt"):
        session.apply(Edit.of("Change PTV", session.case, ptv, replace(ptv, formula="PTVopt + 5 mm")))
    assert structure(session, "PTV") is ptv
