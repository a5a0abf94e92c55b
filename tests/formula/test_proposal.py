"""Several derived structures at once: their order, what stands in their way, and that nothing is computed twice."""

import math
from dataclasses import replace

import numpy as np
import pytest
from phantoms import planes_grid, sphere
from shapely.affinity import translate

from reviewer.case import Case, Structure, StructureSet
from reviewer.edit import Edit, Swap
from reviewer.edit.structures import free_name, free_number
from reviewer.errors import CancelledError
from reviewer.formula.derivations import Derivations, derive
from reviewer.formula.grammar import FormulaError, needing
from reviewer.formula.proposal import Wish, propose
from reviewer.geometry.volume import volume_cc
from reviewer.session import Session

GRID = planes_grid(np.arange(-40.5, 41, 3.0))


def ball(name: str, radius: float, centre=(0.0, 0.0, 0.0), number: int = 1) -> Structure:
    return replace(sphere(GRID, radius, centre), id=f"set#{number}", name=name, number=number, image_id="mr")


def case() -> Case:
    return Case(
        structure_sets=(
            StructureSet("set", "Set", (ball("GTV", 10.0), ball("OAR", 10.0, (20, 0, 0), 2)), "mr", "frame"),
        )
    )


PTV = Wish("PTV", "GTV + 5 mm", "PTV", 3)
OPT = Wish("PTVopt", "PTV - (OAR + 5 mm)", "PTV", 4)


def test_each_is_made_after_those_that_it_is_made_of():
    """PTV of 15 mm radius; PTVopt without the lens of two spheres of 15 mm at 20 mm."""
    proposal = propose(case(), "set", [OPT, PTV])
    assert list(proposal.made) == [PTV, OPT]
    ptv, opt = (made.structure for made in proposal.made.values())
    assert (ptv.id, ptv.number, ptv.type, opt.id) == ("set#3", 3, "PTV", "set#4")
    whole = 4 / 3 * math.pi * 15**3
    assert volume_cc(ptv) * 1000 == pytest.approx(whole, rel=0.01)
    lens = math.pi * (4 * 15 + 20) * (2 * 15 - 20) ** 2 / 12
    assert volume_cc(opt) * 1000 == pytest.approx(whole - lens, rel=0.015)


def test_what_was_made_of_the_same_is_taken_as_it_is():
    first = propose(case_ := case(), "set", [PTV, OPT])
    wider = replace(OPT, formula="PTV - (OAR + 6 mm)")
    second = propose(case_, "set", [PTV, wider], first.known)
    assert second.made[PTV] is first.made[PTV]
    other = Edit.of("", case_, case_.structures[0], ball("GTV", 11.0)).applied_to(case_)
    assert propose(other, "set", [PTV], first.known).made[PTV] is not first.made[PTV]


def test_one_edit_that_follows_afterwards_and_needs_nothing_anew():
    session = Session(case())
    proposal = propose(session.case, "set", [PTV, OPT])
    derivations = Derivations()
    session.follow(derivations)
    proposal.adopted_by(derivations)
    session.apply(proposal.edit("Build"))
    made = {s.name: s for s in session.case.structures}
    assert all(made[w.name] is derived.structure for w, derived in proposal.made.items())

    before = session.case.structures[0]
    moved = replace(before, planes={k: translate(r, -4.0) for k, r in before.planes.items()})
    session.apply(Edit.of("Move", session.case, before, moved))
    after = {s.name: s for s in session.case.structures}
    anew = propose(Edit.of("", case_ := case(), case_.structures[0], moved).applied_to(case_), "set", [PTV, OPT])
    for derived in anew.made.values():
        expected = derived.structure
        assert volume_cc(after[expected.name]) == pytest.approx(volume_cc(expected), rel=1e-9)
    session.undo()
    session.undo()
    assert [s.name for s in session.case.structures] == ["GTV", "OAR"]
    session.redo()
    assert [s.name for s in session.case.structures] == ["GTV", "OAR", "PTV", "PTVopt"]


def test_an_edit_that_is_refused_leaves_no_trace_in_what_follows():
    session = Session(case())
    proposal = propose(session.case, "set", [PTV, Wish("Rest", "OAR - GTV", "", 5)])
    derivations = Derivations()
    session.follow(derivations)
    proposal.adopted_by(derivations)
    session.apply(proposal.edit("Build"))
    gtv, oar = session.case.structures[:2]
    wrong = Edit("Wrong", (Swap("set", gtv, ball("GTV", 20.0)), Swap("set", oar, None)))
    with pytest.raises(FormulaError, match="no structure “OAR”"):
        session.apply(wrong)
    less = replace(gtv, planes={k: r for k, r in gtv.planes.items() if k != min(gtv.planes)})
    session.apply(Edit.of("Less", session.case, gtv, less))
    group = session.case.structure_set("set")
    expected = derive(session.case, replace(group, structures=(less, oar)), "PTV", "GTV + 5 mm").structure
    ptv = next(s for s in session.case.structures if s.name == "PTV")
    assert ptv.planes.keys() == expected.planes.keys()
    assert volume_cc(ptv) == pytest.approx(volume_cc(expected), rel=1e-9)


def test_the_formula_of_a_derived_structure_is_replaced_and_its_identity_kept():
    group = (base := case()).structure_sets[0]
    old = replace(derive(base, group, "PTV", "GTV + 3 mm", "PTV").structure, colour=(1, 2, 3))
    there = replace(base, structure_sets=(replace(group, structures=(*group.structures, old)),))
    proposal = propose(there, "set", [replace(PTV, number=9)])
    (swap,) = proposal.edit("").swaps
    assert swap.before is old
    assert (swap.after.id, swap.after.number, swap.after.colour) == (old.id, old.number, (1, 2, 3))
    assert volume_cc(swap.after) * 1000 == pytest.approx(4 / 3 * math.pi * 15**3, rel=0.01)

    following = derive(there, there.structure_sets[0], "PTVopt", "PTV - OAR").structure
    further = replace(there, structure_sets=(replace(group, structures=(*group.structures, old, following)),))
    circle = propose(further, "set", [replace(PTV, formula="PTVopt + 5 mm")])
    assert not circle.made
    assert "circle" in str(next(iter(circle.errors.values())))


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ([Wish("GTV", "OAR + 5 mm", "", 3)], "drawn by hand"),
        ([Wish("", "OAR + 5 mm", "", 3)], "needs a name"),
        ([PTV, replace(PTV, number=4)], "asked for twice"),
        ([Wish("PTV", "PTV + 5 mm", "", 3)], "made of itself"),
        ([Wish("PTV", "GTV + 5", "", 3)], "unit is missing"),
        ([Wish("A", "B + 5 mm", "", 3), Wish("B", "A + 5 mm", "", 4)], "no structure “A”"),
    ],
)
def test_what_cannot_be_made_says_why(wishes, why):
    proposal = propose(case(), "set", wishes)
    assert not proposal.made
    assert any(why in str(error) for error in proposal.errors.values())


def test_what_is_made_of_what_cannot_be_made_says_so_at_its_place():
    proposal = propose(case(), "set", [OPT, replace(PTV, formula="GTX + 5 mm")])
    error = proposal.errors[OPT]
    assert isinstance(error, FormulaError)
    assert (error.span.start, error.span.end) == (0, 3)
    assert "“PTV” could not be made" in str(error)


def test_it_stops_when_nobody_waits():
    with pytest.raises(CancelledError):
        propose(case(), "set", [PTV], cancelled=lambda: True)


def test_names_and_numbers_that_are_free():
    assert free_name("PTV", {"GTV"}) == "PTV"
    assert free_name("PTV", {"PTV", "PTV_2"}) == "PTV_3"
    assert free_number(case().structure_sets[0]) == 3
    assert needing([("PTV", "GTV + 5 mm"), ("Rest", "OAR - PTV")], "PTV") == ("Rest",)


def test_a_cut_off_margin_is_told_only_where_it_is_missed():
    """The OAR, around the GTV, reaches the end of the image, the PTV does not: nothing of PTV - (OAR + 5 mm) lies beyond, or is left."""
    tall = replace(ball("OAR", 10.0, (20, 0, 0), 2), planes={k: ball("x", 20.0).planes[13] for k in range(28)})
    there = Case(structure_sets=(StructureSet("set", "Set", (ball("GTV", 10.0), tall), "mr", "frame"),))
    group = there.structure_sets[0]
    assert derive(there, group, "A", "(GTV + 5 mm) - (OAR + 5 mm)").warnings == ("nothing is left of it",)
    assert derive(there, group, "A", "(GTV + 5 mm) & (OAR + 5 mm)").warnings == ()
    assert "5.0 mm of it lie beyond" in derive(there, group, "A", "OAR + 5 mm").warnings[0]
    assert len(derive(there, group, "A", "(OAR + 5 mm) - GTV").warnings) == 1
    assert len(derive(there, group, "A", "(OAR + 5 mm) | GTV").warnings) == 1
