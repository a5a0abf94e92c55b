"""Bodies whose volume, and whose dose-volume values in a linear dose, are known in closed form, as DICOM for every program to read."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from phantoms import SPHERE_CC, circle, linear_dose, planes_grid, rectangle, solve, sphere, sphere_height, stack

from reviewer.case import Case, Dose, Image, Patient, Structure, StructureSet
from reviewer.dicom.write import write_dose, write_image, write_structure_set

SLICES = (1.0, 2.0, 2.5, 3.0, 5.0)
OFFSETS = (0.0, 0.25, 0.5)
"""Of a sphere's centre against the nearest slice, in slices: 0 and 0.5 are the best and the worst."""

RADII = (5.0, 10.0, 13.7, 25.0)
"""Spheres of 0.5, 4.2, 10.8 and 65 cc."""

CENTRE = (0.31, -0.17)
"""Of every body in its plane: off the pixels' lattice."""

DOSE_SPACINGS = (1.0, 2.0, 2.5, 3.0)
DIRECTIONS = {"across": (1.0, 0.0, 0.0), "along": (0.0, 0.0, 1.0), "oblique": (0.6, 0.0, 0.8)}
"""Of the dose gradient against the stack of slices."""

AT_ORIGIN_GY = 70.0
"""Dose at the origin; it changes by 1 Gy/mm, so that an error in Gy is one in mm x gradient."""

HALF_MM = 42.0
PIXEL_MM = 1.0
SMALL_CC = 0.035


@dataclass(frozen=True)
class Body:
    """heights: direction -> a function that gives the height (mm along it) above which lies that part of the volume; `mean` likewise."""

    kind: str
    structure: Structure
    volume_cc: float
    heights: dict[str, Callable[[float], float]]
    means: dict[str, float]

    def truth(self, direction: str) -> dict[str, float]:
        """D98, D95, D2, D0.035cc and mean in Gy, in the linear dose."""
        height = self.heights[direction]
        parts = {"D98%": 0.98, "D95%": 0.95, "D2%": 0.02, "D0.035cc": SMALL_CC / self.volume_cc}
        return {
            **{name: AT_ORIGIN_GY + height(part) for name, part in parts.items()},
            "Mean": AT_ORIGIN_GY + self.means[direction],
        }


def positions(slices: float) -> np.ndarray:
    """Planes at whole multiples of the distance, so that the slabs' borders lie at its odd halves."""
    count = math.ceil(HALF_MM / slices)
    return np.arange(-count, count + 1) * slices


def half_height(slices: float, about: float = 15.0) -> float:
    """Half the height of a body around 0 that ends on slab borders."""
    return (round(about / slices - 0.5) + 0.5) * slices


def ball(slices: float, radius: float, centre_mm: Sequence[float], name: str) -> Body:
    """V = 4/3 pi r^3; the part above the height t is 1/2 - 3t/4r + t^3/4r^3."""
    centre = np.asarray(centre_mm)
    body = sphere(planes_grid(positions(slices), spacing=PIXEL_MM, half=HALF_MM), radius, centre)
    middles = {name: float(np.dot(centre, way)) for name, way in DIRECTIONS.items()}
    return Body(
        f"sphere {radius:g} mm",
        replace(body, id=name, name=name),
        SPHERE_CC * radius**3,
        {name: lambda part, middle=middle: middle + sphere_height(radius, part) for name, middle in middles.items()},
        middles,
    )


def cylinder(slices: float) -> Body:
    """V = pi r^2 h; across, the part beyond the chord at t is (acos c - c sqrt(1 - c^2)) / pi, c = t/r."""
    radius, half = 12.0, half_height(slices)
    body = stack(
        planes_grid(positions(slices), spacing=PIXEL_MM, half=HALF_MM),
        lambda w: [circle(radius, CENTRE)] if abs(w) < half else None,
        "Cylinder",
    )

    def beyond(c: float) -> float:
        return (math.acos(c) - c * math.sqrt(1 - c * c)) / math.pi

    return Body(
        "cylinder",
        body,
        math.pi * radius**2 * 2 * half / 1000,
        {
            "along": lambda part: half * (1 - 2 * part),
            "across": lambda part: CENTRE[0] + radius * solve(lambda c: beyond(c) - part, -1.0, 1.0),
        },
        {"along": 0.0, "across": CENTRE[0]},
    )


def box(slices: float) -> Body:
    """V = a b c; linear in either direction."""
    half, width = half_height(slices), 18.0
    body = stack(
        planes_grid(positions(slices), spacing=PIXEL_MM, half=HALF_MM),
        lambda w: [rectangle(CENTRE[0] - width, -12.0, CENTRE[0] + width, 12.0)] if abs(w) < half else None,
        "Box",
    )
    return Body(
        "box",
        body,
        2 * width * 24 * 2 * half / 1000,
        {"along": lambda part: half * (1 - 2 * part), "across": lambda part: CENTRE[0] + width * (1 - 2 * part)},
        {"along": 0.0, "across": CENTRE[0]},
    )


def cone(slices: float) -> Body:
    """V = pi r^2 h / 3, foot and tip on slab borders; the part above the height t over the foot is (1 - t/h)^3, the mean h/4."""
    half, radius = half_height(slices), 18.0
    body = stack(
        planes_grid(positions(slices), spacing=PIXEL_MM, half=HALF_MM),
        lambda w: [circle(radius * (half - w) / (2 * half), CENTRE)] if abs(w) < half else None,
        "Cone",
    )
    return Body(
        "cone",
        body,
        math.pi * radius**2 * 2 * half / 3 / 1000,
        {"along": lambda part: -half + 2 * half * (1 - part ** (1 / 3))},
        {"along": -half / 2},
    )


def shell(slices: float, offset: float) -> Body:
    """A sphere of 20 mm with a hollow of 15 mm: V = 4/3 pi (R^3 - r^3)."""
    outer, inner, middle = 20.0, 15.0, offset * slices

    def rings(w: float) -> list[np.ndarray] | None:
        squares = [r**2 - (w - middle) ** 2 for r in (outer, inner)]
        return [circle(math.sqrt(square), CENTRE) for square in squares if square > 1e-6]

    name = f"H_{offset:g}"
    body = stack(planes_grid(positions(slices), spacing=PIXEL_MM, half=HALF_MM), rings, name)
    return Body("hollow sphere", body, SPHERE_CC * (outer**3 - inner**3), {}, {})


def bodies(slices: float) -> list[Body]:
    spheres = [
        ball(slices, radius, (*CENTRE, offset * slices), f"S{radius:g}_{offset:g}")
        for radius in RADII
        for offset in OFFSETS
    ]
    shells = [shell(slices, offset) for offset in OFFSETS]
    return [*spheres, *shells, cylinder(slices), box(slices), cone(slices)]


def dose(direction: str, spacing: float) -> Dose:
    found = linear_dose(spacing, DIRECTIONS[direction], AT_ORIGIN_GY, half=HALF_MM, shift=(0.37, -0.21, 0.43))
    return replace(found, id=f"dose {direction} {spacing}")


def case_of(structures: list[Structure]) -> Case:
    """An empty CT and the structures drawn on it; all on one grid, made here from the first one's."""
    grid = structures[0].grid
    image = Image("accuracy image", "CT", "phantom", grid, np.zeros(grid.shape_zyx, dtype=np.int16))
    numbered = tuple(
        replace(s, id=s.name, grid=grid, image_id=image.id, number=n, type="ORGAN") for n, s in enumerate(structures, 1)
    )
    group = StructureSet("accuracy structures", "phantom", numbered, image.id, "frame")
    return Case(Patient("Phantom", "accuracy"), (image,), (group,))


def write(case: Case, doses: dict[str, Dose], folder: Path) -> dict[str, object]:
    """The case as DICOM below `folder`; what a peer has to know of it, ready for JSON."""
    group = case.structure_sets[0]
    write_image(case.images[0], case, folder / "image")
    return {
        "image": str(folder / "image"),
        "structures": str(write_structure_set(group, case, folder / "structures.dcm")),
        "doses": {name: str(write_dose(d, case, folder / f"dose_{name}.dcm")) for name, d in doses.items()},
        "rois": {s.name: s.number for s in group.structures},
    }
