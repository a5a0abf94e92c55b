"""The contract between the program and a backend.

A backend answers one question: *what does this plan deliver on this anatomy?* (`DoseBackend`), or *where was the target in each
frame?* (`GatingBackend`). It never sees a case, a file or a name of the patient: it is handed plain numbers, and hands plain numbers back.

This module needs Python 3.10 and numpy and nothing else: `reviewer.backends.runner` loads it in interpreters that have no Reviewer.

Coordinates are those of the program: patient DICOM LPS in mm, points (x, y, z), arrays (z, y, x), the voxel index at the voxel's centre.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

API = 1
"""Version of this contract. A backend names the one that it was written for; the host runs only its own."""

DOSE, GATING = "dose", "gating"

Value = str | int | float | bool
Floats = NDArray[np.float64]


# -- what a backend says of itself --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BackendInfo:
    """Who answers.

    name:            short and stable, as written on the command line: "pencil-beam".
    title:           as shown to people: "Pencil beam, generic 6 MV".
    licence:         SPDX expression of the engine itself, not of the plug-in around it.
    magnetic_field:  whether the field of the MR-linac is modelled; where it is not, the program says so on every result.
    statistical:     whether results carry a statistical uncertainty (Monte Carlo).
    needs:           what a job must bring beyond the obvious; the core prepares only what is asked for. Any of
                     "beams", "density", "planned" (the plan's own dose), "structures".
    data_sha256:     hash of the machine or model data the backend computes with, '' where it has none.
    """

    name: str
    title: str
    version: str
    licence: str
    api: int = API
    magnetic_field: bool = False
    statistical: bool = False
    needs: tuple[str, ...] = ()
    data_sha256: str = ""


@dataclass(frozen=True)
class Setting:
    """One thing that the user may choose; a form is built from it, and the command line's ``--set NAME=VALUE``.

    kind: "number", "integer", "flag" (bool), "choice" or "text". minimum and maximum hold for numbers and integers.
    """

    name: str
    label: str
    kind: str
    default: Value
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    tooltip: str = ""

    def checked(self, value: object) -> Value:
        """The value as this setting takes it (text from a command line is read). Raises ValueError with one clause."""
        if self.kind == "flag":
            if isinstance(value, str) and value.lower() in ("true", "false", "yes", "no", "on", "off"):
                return value.lower() in ("true", "yes", "on")
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} is yes or no, not {value!r}")
            return value
        if self.kind == "choice":
            if not isinstance(value, str) or value not in self.choices:
                raise ValueError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}")
            return value
        if self.kind == "text":
            if not isinstance(value, str):
                raise ValueError(f"{self.name} is a text, not {value!r}")
            return value
        try:
            number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else np.nan
        except ValueError:
            number = np.nan
        whole = self.kind == "integer"
        if not np.isfinite(number) or (whole and number != int(number)):
            raise ValueError(f"{self.name} is {'a whole' if whole else 'a'} number, not {value!r}")
        low, high = self.minimum, self.maximum
        if (low is not None and number < low) or (high is not None and number > high):
            between = " and ".join(
                f"{word} {limit:g}" for word, limit in (("at least", low), ("at most", high)) if limit is not None
            )
            raise ValueError(f"{self.name} is {between}{' ' + self.unit if self.unit else ''}, not {number:g}")
        return int(number) if whole else number


def checked_settings(settings: Sequence[Setting], values: Mapping[str, object]) -> dict[str, Value]:
    """All settings with the values given and the defaults of the others. Raises ValueError for unknown names and bad values."""
    known = {setting.name: setting for setting in settings}
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"there is no setting {unknown[0]}; there is {', '.join(known) or 'none'}")
    return {name: setting.checked(values.get(name, setting.default)) for name, setting in known.items()}


# -- space -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Lattice:
    """A uniform grid in the patient.

    shape_zyx:  number of voxels along w, v, u.
    spacing_mm: distance of voxel centres along (u, v, w).
    origin_mm:  (3,) patient position of the centre of voxel [0, 0, 0].
    axes:       (3, 3); rows are the unit vectors u (rising x index), v (rising y index), w (rising z index) in patient coordinates.
    """

    shape_zyx: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: Floats
    axes: Floats = field(default_factory=lambda: np.eye(3))

    @property
    def matrix(self) -> Floats:
        """(4, 4) from index (x, y, z) to patient mm: ``patient = (matrix @ [i, j, k, 1])[:3]``."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.asarray(self.axes, dtype=np.float64).T * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    def points_mm(self) -> Floats:
        """(z, y, x, 3) patient position of the centre of each voxel."""
        indices = np.moveaxis(np.indices(self.shape_zyx)[::-1], 0, -1)
        return np.asarray(indices @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def nearest(self, volume: NDArray[Any], points_mm: Floats) -> NDArray[Any]:
        """Values of a (z, y, x) array on this grid at points (..., 3): that of the voxel which a point lies in, 0 beyond the grid."""
        inverse = np.linalg.inv(self.matrix)
        index = np.rint(points_mm @ inverse[:3, :3].T + inverse[:3, 3]).astype(np.intp)[..., ::-1]
        last = np.array(self.shape_zyx) - 1
        within = np.all((index >= 0) & (index <= last), axis=-1)
        return np.where(within, volume[tuple(np.moveaxis(np.clip(index, 0, last), -1, 0))], np.zeros(1, volume.dtype))


# -- dose --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Leaves:
    """One beam limiting device, projected onto the isocentre plane: leaf pairs that all move along one axis. A pair of jaws is one pair.

    along:         "x" or "y", the axis of the beam limiting device (IEC 61217) along which the leaves move.
    boundaries_mm: (n + 1,) rising positions of the sides of the n leaf pairs on the other axis; ±inf where a jaw has no side.
    low_mm, high_mm: (n,) each pair is open between the two (closed where high <= low).
    """

    along: str
    boundaries_mm: Floats
    low_mm: Floats
    high_mm: Floats


@dataclass(frozen=True, eq=False)
class Segment:
    """A fixed aperture that delivers `mu` monitor units; an arc is many of them.

    The geometry is worked out already, for any patient position: use source_mm, x_axis and y_axis; the angles (IEC 61217, degrees)
    are for looking up machine data and for messages.

    source_mm: (3,) focal spot in patient coordinates.
    x_axis, y_axis: (3,) unit vectors of the beam limiting device (collimator rotation included) in patient coordinates. The isocentre
               plane goes through the isocentre, perpendicular to both; a point on it has the aperture coordinates
               ``((p - isocentre) @ x_axis, (p - isocentre) @ y_axis)``.
    devices:   open is where every device is open: stacked MLCs and jaws multiply. See `reviewer.backends.aperture`.
    """

    mu: float
    gantry_deg: float
    collimator_deg: float
    couch_deg: float
    source_mm: Floats
    x_axis: Floats
    y_axis: Floats
    devices: tuple[Leaves, ...]


@dataclass(frozen=True, eq=False)
class BeamInput:
    """One treatment beam. `isocentre_mm` (3,) in patient coordinates; `sad_mm` from the focal spot to it."""

    number: int
    name: str
    isocentre_mm: Floats
    sad_mm: float
    energy_mv: float | None
    segments: tuple[Segment, ...]


@dataclass(frozen=True, eq=False)
class PlannedDose:
    """The plan's own dose of one fraction, and how to find it on the anatomy of the job.

    gray:         (z, y, x) float32 on `lattice`; outside of it the dose is unknown.
    matrix:       (4, 4) from the patient coordinates of the job to those of `lattice`.
    displacement_mm: (z, y, x, 3) float32 on the job's *dose* lattice, (x, y, z) mm, added before `matrix`; None for a rigid way.
    """

    gray: NDArray[np.float32]
    lattice: Lattice
    matrix: Floats
    displacement_mm: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class DoseJob:
    """What one fraction of a plan is to be computed on. Arrays are read-only maps of files.

    lattice:     grid of the anatomy: density, body and structure_bits.
    density:     (z, y, x) float32, electron density relative to water.
    body:        (z, y, x) bool, inside the patient. Outside of it dose is 0 by definition.
    beams:       with the MU of one fraction.
    dose_lattice: grid to give the dose on.
    machine:     name of the treatment machine as in the plan, '' where unknown.
    planned:     the plan's own dose, where info.needs holds "planned".
    structures, structure_bits: names, and (z, y, x) unsigned integers, wide enough, with bit n set inside the n-th of them,
                 where info.needs holds "structures".
    settings:    checked, complete.
    """

    lattice: Lattice
    density: NDArray[np.float32]
    body: NDArray[np.bool_]
    beams: tuple[BeamInput, ...]
    dose_lattice: Lattice
    machine: str = ""
    planned: PlannedDose | None = None
    structures: tuple[str, ...] = ()
    structure_bits: NDArray[Any] | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)

    def mask(self, structure: str) -> NDArray[np.bool_]:
        """(z, y, x) bool of one of `structures`. Raises KeyError."""
        if structure not in self.structures or self.structure_bits is None:
            raise KeyError(structure)
        return (self.structure_bits >> self.structures.index(structure) & 1).astype(bool)

    def body_on_dose_lattice(self) -> NDArray[np.bool_]:
        """(z, y, x) bool: the voxels of dose_lattice that have their centre in a voxel of the body."""
        index = np.linalg.inv(self.lattice.matrix) @ self.dose_lattice.matrix
        nz, ny, nx = self.dose_lattice.shape_zyx
        k, j, i = np.ogrid[:nz, :ny, :nx]
        places = [np.rint(row[0] * i + row[1] * j + row[2] * k + row[3]).astype(np.int32) for row in index[:3]]
        found = np.ones((nz, ny, nx), dtype=np.bool_)
        for place, size in zip(places, self.lattice.shape_zyx[::-1], strict=True):
            found &= (place >= 0) & (place < size)
        x, y, z = (np.clip(place, 0, n - 1) for place, n in zip(places, self.lattice.shape_zyx[::-1], strict=True))
        return np.asarray(found & self.body[z, y, x])


@dataclass(frozen=True, eq=False)
class DoseResult:
    """What the job's MU deliver, in one fraction.

    gray:       (z, y, x) float32 on the job's dose_lattice; finite, not negative.
    statements: what a reader must know, one short sentence each ("generic 6 MV beam, not commissioned"); at least one.
    sigma_gray: (z, y, x) float32, one standard deviation, where the backend is statistical.
    unit:       said, so that nobody assumes it: only "Gy" is accepted.
    """

    gray: NDArray[np.float32]
    statements: tuple[str, ...]
    sigma_gray: NDArray[np.float32] | None = None
    unit: str = "Gy"


class Progress(Protocol):
    """``progress(fraction, text)``: say how far the work is, as often as you like. fraction: 0 to 1."""

    def __call__(self, fraction: float, text: str = "") -> None: ...


class DoseBackend(Protocol):
    """An entry point of the group ``reviewer.dose`` names a class (called without arguments) or an object like this."""

    @property
    def info(self) -> BackendInfo: ...

    def settings(self) -> Sequence[Setting]:
        """What the user may choose; empty where nothing."""
        ...

    def available(self, job: DoseJob | None) -> str | None:
        """Why this backend cannot answer, in one sentence, or None. Without a job: whether it can work at all (data, licences, GPU)."""
        ...

    def compute(self, job: DoseJob, progress: Progress) -> DoseResult:
        """The answer. Raise ValueError with a sentence where the question cannot be answered. Cancelling ends the process."""
        ...


# -- gating ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GatingJob:
    """A cine and the target on one of its frames.

    In-plane coordinates are (u, v) mm: u = column * spacing, v = row * spacing, from the centre of pixel [0, 0].

    frames:     (t, y, x) float32.
    times_s:    (t,) rising.
    spacing_mm: distance of columns, of rows.
    reference:  index of the frame on which the target is given.
    mask:       (y, x) float32, which part of each pixel is target on that frame, 0 to 1.
    contours:   its outline as closed rings, (n, 2) float64 in (u, v) mm, first point not repeated. Rings exclude each other (even-odd).
    settings:   checked, complete.
    """

    frames: NDArray[np.float32]
    times_s: Floats
    spacing_mm: tuple[float, float]
    reference: int
    mask: NDArray[np.float32]
    contours: tuple[Floats, ...]
    settings: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Tracked:
    """Where the target is on one frame. Without contours and mask it is the reference, moved by shift_mm.

    tracked:    False where the backend does not know: the beam is then off, whatever else stands here.
    shift_mm:   (u, v) of the target's centroid from the reference.
    confidence: 0 to 1, by the backend's own measure.
    contours:   closed rings, (n, 2) in (u, v) mm, even-odd.
    mask:       (y, x), which part of each pixel is target, 0 to 1; only looked at without contours.
    """

    tracked: bool
    shift_mm: tuple[float, float] = (0.0, 0.0)
    confidence: float = 0.0
    contours: tuple[Floats, ...] | None = None
    mask: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class GatingResult:
    """A Tracked for each frame of the job, and the time that tracking it took, (t,) in ms. The runner puts it together."""

    frames: tuple[Tracked, ...]
    frame_ms: Floats
    statements: tuple[str, ...]


class GatingBackend(Protocol):
    """An entry point of the group ``reviewer.gating`` names a class (called without arguments) or an object like this.

    The backend only says where the target is; boundary, latency and beam state are the core's. Frames come one at a time, in their
    order, as in treatment: `track` never sees a later one.
    """

    @property
    def info(self) -> BackendInfo: ...

    def settings(self) -> Sequence[Setting]: ...

    def available(self, job: GatingJob | None) -> str | None:
        """As in DoseBackend; `job.frames` then holds the reference frame only."""
        ...

    def start(self, job: GatingJob) -> Sequence[str]:
        """Learn the target. `job.frames` and `job.times_s` hold the reference frame only. Returns the statements, at least one."""
        ...

    def track(self, frame: NDArray[np.float32], time_s: float) -> Tracked:
        """The target on one frame, (y, x) float32, at time_s."""
        ...


# -- what the host hands on ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from; window, report and JSON always show `statements`.

    job_sha256: hash of all that was handed to the backend, settings included. data_sha256: of the backend's own data.
    uncertainty: in words ("one standard deviation 1.2 % of the dose, in voxels above half of the maximum", "not stated").
    statements: those of the backend, and those that the host adds (no magnetic field).
    """

    kind: str
    backend: str
    title: str
    version: str
    licence: str
    api: int
    magnetic_field: bool
    data_sha256: str
    job_sha256: str
    settings: Mapping[str, Value]
    grid: str
    uncertainty: str
    started: str
    wall_s: float
    statements: tuple[str, ...]
