"""Pencil kernel of a photon beam in water, known from the beam's quality alone, and taken apart into a few depth curves.

Nyholm et al. (Radiother Oncol 2006;78:347-351): dose of a pencil beam at depth d and distance r is (A e^{-a r} + B e^{-b r}) / r, primary
and scatter; their four functions of depth follow from the beam quality index. It is the kernel of the ESTRO booklet 10.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import numpy as np

from reviewer.backends.contract import Floats

REACH_MM = 200.0
"""Beyond it a kernel is cut off, in the isocentre plane."""
PIXEL_MM = 1.0
DEPTH_STEP_MM, DEEPEST_MM = 1.0, 500.0
RANK = 3
"""Separable terms: with three, the dose on the axis of no field from 2 to 40 cm is off by more than 0.1 %, 5 to 300 mm deep."""
SHALLOWEST_MM = 0.5
"""Nearer to the surface the parametrisation is not evaluated; the curves are flat there."""
LOWEST_INDEX, HIGHEST_INDEX = 0.60, 0.75
NEAR_MM, FINE = 8, 9
"""Within NEAR_MM of its middle the kernel is integrated over FINE × FINE places in each pixel."""


@cache
def table() -> bytes:
    return files("reviewer_resources").joinpath("photons", "pencil-kernel.json").read_bytes()


@cache
def _coefficients() -> Mapping[str, list[float]]:
    found: dict[str, list[float]] = json.loads(table())["coefficients"]
    return found


def terms(index: float, depth_mm: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """A/a, a, B/b, b at depths in mm of water, lengths in cm; index: of beam quality, as the parametrisation counts it."""
    p = {name: float(np.polynomial.polynomial.polyval(index, c)) for name, c in _coefficients().items()}
    d = np.asarray(depth_mm, dtype=np.float64) / 10.0

    def course(rise: float, floor: float, slope: float, bend: float) -> Floats:
        return np.asarray((1 - np.exp(rise * np.sqrt(d**2 + floor**2))) * np.exp(slope * d + bend * d**2))

    return (
        p["A1"] * course(p["A2"], p["A5"], p["A3"], p["A4"]),
        p["a2"] + p["a1"] * d,
        p["B1"] * course(p["B2"], p["B5"], p["B3"], p["B4"]),
        p["b1"] * course(p["b2"], p["b5"], p["b3"], p["b4"]),
    )


def on_axis(index: float, depth_mm: Floats, side_mm: Floats) -> Floats:
    """Dose on the axis of a square field of an even, parallel fluence of 1; its side is that at the depth."""
    angles = (np.arange(64) + 0.5) / 64 * np.pi / 4
    reach = np.asarray(side_mm, dtype=np.float64)[..., None] / 20.0 / np.cos(angles)
    primary, a, scatter, b = (t[..., None] for t in terms(index, depth_mm))
    return np.asarray(2 * np.pi * (primary * (1 - np.exp(-a * reach)) + scatter * (1 - np.exp(-b * reach))).mean(-1))


@lru_cache(maxsize=32)
def index_of(tpr_20_10: float) -> float:
    """The index with which the kernel gives this TPR20,10 (TRS-398: 10 × 10 cm² at the chamber, 20 and 10 cm of water above it).

    Taken as the index itself, a TPR20,10 of 0.667 comes out as 0.657: a known bias of the parametrisation (Nyholm et al., Phys Med Biol
    2006;51:6245-6262).
    """
    indices = np.linspace(LOWEST_INDEX, HIGHEST_INDEX, 301)
    found = [float(np.divide(*on_axis(i, np.array([200.0, 100.0]), np.array([100.0, 100.0])))) for i in indices]
    if not found[0] <= tpr_20_10 <= found[-1]:
        raise ValueError(f"a TPR20,10 of {tpr_20_10:g} is not that of 4 to 8 MV: {found[0]:.2f} to {found[-1]:.2f}")
    return float(np.interp(tpr_20_10, found, indices))


@dataclass(frozen=True, eq=False)
class Components:
    """The kernel as a sum of products, at one distance of source and surface.

    curves:  (RANK, n) at multiples of DEPTH_STEP_MM of water.
    pixels:  (RANK, 2 h + 1, 2 h + 1) what each pixel of the isocentre plane around the pencil beam gets, h = REACH_MM / PIXEL_MM.
    Their product, times (source-axis distance / distance from the source)², is the dose of a fluence of 1 per mm² in the isocentre plane.
    """

    curves: Floats
    pixels: Floats


@lru_cache(maxsize=64)
def components(index: float, ssd_mm: float, sad_mm: float) -> Components:
    """Singular value decomposition as by Bortfeld, Schlegel, Rhein (Med Phys 1993;20:311-318).

    The pencil beams diverge: a distance in the isocentre plane is longer or shorter at depth by the distances from the source, in water.
    """
    depth = np.arange(0.0, DEEPEST_MM + DEPTH_STEP_MM / 2, DEPTH_STEP_MM)
    wider = (ssd_mm + depth) / sad_mm
    primary, a, scatter, b = (t[:, None] for t in terms(index, np.maximum(depth, SHALLOWEST_MM)))
    # rings whose widths grow with their radius: what each gets, from the integral over the disk
    edges = np.concatenate([[0.0], np.geomspace(0.1, REACH_MM, 240)])
    reach = edges * wider[:, None] / 10.0
    disks = 2 * np.pi * (primary * (1 - np.exp(-a * reach)) + scatter * (1 - np.exp(-b * reach)))
    rings = np.diff(disks, axis=1)
    total = disks[:, -1:]
    left, values, right = np.linalg.svd(rings / total, full_matrices=False)
    curves = (left[:, :RANK] * values[:RANK] * total).T
    middle = (edges[1:] + edges[:-1]) / 2
    # density per mm² times the radius is smooth, where the density itself is a peak
    smooth = right[:RANK] / (np.pi * np.diff(edges**2)) * middle
    return Components(np.ascontiguousarray(curves), np.stack([_pixels(middle, s) for s in smooth]))


def _pixels(radius_mm: Floats, density_by_radius: Floats) -> Floats:
    """(2 h + 1, 2 h + 1) a radial density, given times its radius, over the pixels around its middle."""

    def at(y: Floats, x: Floats) -> Floats:
        r = np.hypot(y, x)
        return np.asarray(
            np.where(r <= REACH_MM, np.interp(r, radius_mm, density_by_radius) / np.maximum(r, 1e-9), 0.0)
        )

    half = round(REACH_MM / PIXEL_MM)
    places = np.arange(-half, half + 1, dtype=np.float64) * PIXEL_MM
    out = at(places[:, None], places[None, :]) * PIXEL_MM**2
    fine: Floats = ((np.arange(FINE) + 0.5) / FINE - 0.5) * PIXEL_MM
    near = np.arange(-NEAR_MM, NEAR_MM + 1) * PIXEL_MM
    inner: Floats = np.asarray((near[:, None] + fine).ravel(), dtype=np.float64)
    values = at(inner[:, None], inner[None, :])
    # the middle one gets what the mean of 1/r over its pixel, 4 asinh(1) / side, lacks without it
    apart = np.hypot(fine[:, None], fine[None, :])
    others = float((1 / apart[apart > 1e-9]).sum())
    values[len(inner) // 2, len(inner) // 2] = density_by_radius[0] * (
        4 * np.arcsinh(1.0) / PIXEL_MM * FINE**2 - others
    )
    blocks = values.reshape(len(near), FINE, len(near), FINE).mean(axis=(1, 3)) * PIXEL_MM**2
    middle = slice(half - NEAR_MM, half + NEAR_MM + 1)
    out[middle, middle] = blocks
    return np.asarray(out)
