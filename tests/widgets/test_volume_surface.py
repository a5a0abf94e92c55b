"""Surfaces, orbit and rays of the 3D view against closed form; no window."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from reviewer_widgets.canvas.volume.mesh import Mesh, distance_to_hit
from reviewer_widgets.canvas.volume.orbit import STANDARD_VIEWS, Orbit
from reviewer_widgets.canvas.volume.surface import isodose_meshes, structure_mesh

from reviewer.case import Dose, Structure
from reviewer.errors import CancelledError
from reviewer.geometry.grid import Grid


def stack(radius_at, spacing=3.0, count=60, axes=None, centre=(0.0, 0.0)):
    """Circles of radius_at(w) on planes around w = 0."""
    positions = (np.arange(count) - (count - 1) / 2) * spacing
    grid = Grid(np.eye(3) if axes is None else axes, (-100.0, -100.0), (1.0, 1.0), (201, 201), positions, "F")
    radii = {k: radius_at(w) for k, w in enumerate(positions)}
    planes = {k: shapely.Point(*centre).buffer(r, quad_segs=64) for k, r in radii.items() if r > 0}
    return Structure("s", "S", grid, planes)


def sphere(radius, **options):
    return stack(lambda w: max(radius**2 - w**2, 0.0) ** 0.5, **options)


def never():
    return False


def enclosed_mm3(mesh):
    a, b, c = (mesh.points[mesh.triangles[:, k]].astype(float) for k in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize(("radius", "spacing"), [(15.0, 1.0), (15.0, 3.0), (40.0, 3.0), (40.0, 1.0)])
def test_the_surface_of_a_sphere_is_a_sphere(radius, spacing):
    mesh = structure_mesh(sphere(radius, spacing=spacing, count=int(2.4 * radius / spacing)), never)
    distances = np.linalg.norm(mesh.points, axis=1)
    assert abs(distances.mean() - radius) < 0.15
    assert np.quantile(np.abs(distances - radius), 0.95) < 0.3
    # Positive: seen from outside the triangles run counter-clockwise.
    assert enclosed_mm3(mesh) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.015)
    outward = np.einsum("ij,ij->i", mesh.normals, mesh.points / distances[:, None])
    assert np.quantile(outward, 0.05) > 0.95
    assert len(mesh.triangles) < 20_000


def test_a_cone_has_no_terraces():
    """The radius falls by 2 mm from slice to slice: slabs would stand up to 1 mm off the cone, in steps of 2 mm."""
    cone = stack(lambda w: 35.0 - 0.5 * w if abs(w) < 42 else 0.0, spacing=4.0, count=30)
    mesh = structure_mesh(cone, never)
    side = mesh.points[np.abs(mesh.points[:, 2]) < 30]  # the ends are rounded off
    off = np.hypot(side[:, 0], side[:, 1]) - (35.0 - 0.5 * side[:, 2])
    assert np.abs(off).max() < 0.3
    assert len(side) > 1000


def test_a_gap_between_planes_stays_open():
    whole = stack(lambda w: 20.0 if abs(w) < 30 else 0.0, spacing=3.0, count=30)
    planes = {k: r for k, r in whole.planes.items() if not 13 <= k <= 17}
    holed = Structure("s", "S", whole.grid, planes)
    gap = whole.grid.positions_mm[15]
    mesh = structure_mesh(holed, never)
    assert np.abs(mesh.points[:, 2] - gap).min() > 3.0


def test_surfaces_stand_where_the_patient_is_in_an_oblique_grid():
    c, s = np.cos(0.4), np.sin(0.4)
    axes = np.array([[c, s, 0.0], [0.0, 0.0, -1.0], [-s, c, 0.0]])
    mesh = structure_mesh(sphere(20.0, axes=axes, centre=(10.0, -5.0)), never)
    centre = 10.0 * axes[0] - 5.0 * axes[1]
    assert np.allclose((mesh.points.min(axis=0) + mesh.points.max(axis=0)) / 2, centre, atol=0.6)
    assert enclosed_mm3(mesh) > 0


def test_building_stops_when_nobody_waits():
    with pytest.raises(CancelledError):
        structure_mesh(sphere(20.0), lambda: True)


def radial_dose(step=2.0):
    """60 Gy in the middle, 1 Gy less for each mm; an uneven stack of planes."""
    z = np.concatenate([np.arange(-50.0, 0.0, step), np.arange(0.0, 51.0, step * 1.5)])
    xy = np.arange(-50.0, 51.0, step)
    grid = Grid(np.eye(3), (-50.0, -50.0), (step, step), (len(xy), len(xy)), z, "F")
    w, v, u = np.meshgrid(z, xy, xy, indexing="ij")
    return Dose("d", "D", grid, (60.0 - np.sqrt(u**2 + v**2 + w**2)).astype(np.float32))


def test_an_isodose_surface_lies_at_its_level():
    meshes = isodose_meshes(radial_dose(), (40.0, 30.0))
    for level, mesh in meshes.items():
        distances = np.linalg.norm(mesh.points, axis=1)
        assert np.abs(distances - (60.0 - level)).max() < 0.15
        assert np.einsum("ij,ij->i", mesh.normals, mesh.points / distances[:, None]).min() > 0.9
        assert enclosed_mm3(mesh) > 0


def test_of_many_levels_the_hottest_middle_and_coldest_that_the_dose_reaches_are_drawn():
    assert sorted(isodose_meshes(radial_dose(), (63.0, 57.0, 47.5, 40.0, 30.0, 25.0, 20.0))) == [20.0, 40.0, 57.0]
    assert isodose_meshes(radial_dose(), (70.0, 0.0)) == {}


def test_unknown_dose_has_no_surface():
    dose = radial_dose()
    gray = dose.gray.copy()
    gray[:, :, : gray.shape[2] // 2] = np.nan
    mesh = isodose_meshes(Dose("d", "D", dose.grid, gray), (40.0,))[40.0]
    assert np.isfinite(mesh.points).all()
    assert mesh.points[:, 0].min() >= -2.0


# -- orbit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "right", "up"),
    [
        ("A", (1, 0, 0), (0, 0, 1)),  # the patient's left on the right of the screen
        ("P", (-1, 0, 0), (0, 0, 1)),
        ("L", (0, 1, 0), (0, 0, 1)),
        ("R", (0, -1, 0), (0, 0, 1)),
        ("H", (-1, 0, 0), (0, -1, 0)),
        ("F", (1, 0, 0), (0, -1, 0)),  # as an axial slice
    ],
)
def test_standard_views(side, right, up):
    orbit = Orbit().seen_from(side)
    assert np.allclose(orbit.right, right, atol=1e-9)
    assert np.allclose(orbit.up, up, atol=1e-9)


def test_every_standard_view_is_known():
    assert set(STANDARD_VIEWS) == set("APLRHF")


angles = st.floats(-180, 180)


@given(angles, st.floats(-90, 90), st.floats(0, 639), st.floats(0, 399))
def test_a_ray_through_a_pixel_meets_points_that_are_seen_at_that_pixel(azimuth, elevation, x, y):
    orbit = Orbit(azimuth, elevation, (10.0, -20.0, 30.0), 700.0)
    point = orbit.eye_mm + 555.0 * orbit.ray(x, y, 640, 400)
    assert orbit.pixel(point, 640, 400) == pytest.approx((x, y), abs=1e-6)


@given(angles, st.floats(-90, 90), st.floats(0.4, 3.0))
def test_a_fitted_box_is_all_in_view(azimuth, elevation, aspect):
    low, high = np.array([-100.0, -50.0, 0.0]), np.array([40.0, 70.0, 300.0])
    orbit = Orbit(azimuth, elevation).fitted(low, high, aspect)
    width, height = 400 * aspect, 400
    for corner in np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T:
        x, y = orbit.pixel(corner, width, height)
        assert 0 <= x <= width
        assert 0 <= y <= height


def test_pulling_to_the_right_shows_the_patients_right_side():
    assert Orbit(0.0, 0.0).turned(30.0, 0.0).azimuth_deg == -30.0
    assert Orbit(0.0, 80.0).turned(0.0, 30.0).elevation_deg == 90.0


def test_panning_moves_the_focus_with_the_pointer():
    orbit = Orbit(20.0, 10.0)
    x, y = orbit.panned(30.0, -12.0, 400).pixel(orbit.focus_mm, 640, 400)
    assert (x, y) == pytest.approx((350.0, 188.0), abs=1e-6)


# -- rays -------------------------------------------------------------------------------------------------------------


def test_a_ray_hits_the_near_wall_of_a_sphere():
    mesh = structure_mesh(sphere(20.0), never)
    hit = distance_to_hit(mesh, np.array([3.0, -100.0, 4.0]), np.array([0.0, 1.0, 0.0]))
    assert hit == pytest.approx(100.0 - np.sqrt(20.0**2 - 25.0), abs=0.5)
    assert distance_to_hit(mesh, np.array([22.0, -100.0, 0.0]), np.array([0.0, 1.0, 0.0])) is None
    assert distance_to_hit(mesh, np.array([0.0, -100.0, 0.0]), np.array([0.0, -1.0, 0.0])) is None


def test_a_ray_hits_one_triangle_where_it_should():
    points = np.array([[0, 0, 5], [4, 0, 5], [0, 4, 5]], np.float32)
    mesh = Mesh(points, np.zeros_like(points), np.array([[0, 1, 2]]))
    down = np.array([0.0, 0.0, 1.0])
    assert distance_to_hit(mesh, np.array([1.0, 1.0, 0.0]), down) == pytest.approx(5.0)
    assert distance_to_hit(mesh, np.array([2.1, 2.1, 0.0]), down) is None  # in the box, beside the triangle


@pytest.mark.parametrize("module", ["canvas.volume.view", "panels.dvh"])
def test_what_the_window_imports_at_start_is_light(module):
    heavy = "('vtk', 'vtkmodules', 'numba', 'pyqtgraph', 'SimpleITK', 'pydicom')"
    code = f"import sys, reviewer_widgets.{module}; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
