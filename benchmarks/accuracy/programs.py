"""The programs that are asked: Reviewer in this process, every peer in an environment of its own."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import SimpleITK as sitk
from bodies import HALF_MM

from reviewer.case import Dose, Structure
from reviewer.dosimetry.dvh import dvh
from reviewer.dosimetry.metrics import Metric
from reviewer.geometry.volume import volume_cc

PEERS = Path(__file__).parent / "peers"
QUESTIONS = ("D98%", "D95%", "D2%", "D0.035cc", "Mean")
MINUTES = 15

Job = dict[str, Any]


@dataclass
class Peer:
    """answers: None where it could not be asked, and then `failed` says why."""

    name: str
    version: str
    answers: dict[str, Any] | None = None
    failed: str = ""
    remarks: list[str] = field(default_factory=list)


def reviewer_values(structure: Structure, dose: Dose | None) -> dict[str, float]:
    found = {"volume_cc": volume_cc(structure)}
    if dose is not None:
        curve = dvh(structure, dose)
        found |= {question: Metric.parse(question).of(curve) for question in QUESTIONS}
    return found


def ask(name: str, script: str, job: Job) -> Peer:
    """Run a peer's script with `uv`, which reads from the script what it needs and gives it an environment of its own."""
    path = PEERS / script
    peer = Peer(name, re.search(r'dependencies = \["[^"=]*==([^"]*)"', path.read_text())[1])
    uv = shutil.which("uv") or str(Path(__file__).parents[2] / ".tools" / "uv")
    try:
        done = subprocess.run(
            [uv, "run", "--no-project", "--quiet", "--script", path],
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=60 * MINUTES,
            check=True,
        )
        peer.answers = json.loads(done.stdout[done.stdout.index("{") :])
    except FileNotFoundError:
        peer.failed = "uv is not installed"
    except subprocess.TimeoutExpired:
        peer.failed = f"no answer within {MINUTES} minutes"
    except (subprocess.CalledProcessError, ValueError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        peer.failed = said[-1] if said else "ended without a word"
    return peer


# -- plastimatch: a program of the system ---------------------------------------------------------------------------------


def plastimatch(phantoms: dict[str, Job], work: Path) -> Peer:
    """Volumes of its masks on the image's grid, and DVH values from its curves of 0.05 Gy."""
    program = shutil.which("plastimatch")
    if program is None:
        return Peer("plastimatch", "", failed="not installed: apt-get install plastimatch")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    peer = Peer("plastimatch", said.split()[-1])
    answers: dict[str, Any] = {}
    try:
        for place, phantom in phantoms.items():
            folder = work / "plastimatch" / place
            folder.mkdir(parents=True)
            _run(program, "convert", "--input", phantom["image"], "--output-img", folder / "image.nrrd")
            _run(
                program, "convert", "--input", phantom["structures"], "--fixed", folder / "image.nrrd",
                "--output-ss-img", folder / "ss.nrrd", "--output-ss-list", folder / "ss.txt",
                "--output-prefix", folder / "masks", "--prefix-format", "nrrd",
            )  # fmt: skip
            volumes = {}
            for roi in phantom["rois"]:
                mask = sitk.ReadImage(str(folder / "masks" / f"{roi}.nrrd"))
                volumes[roi] = float(sitk.GetArrayViewFromImage(mask).sum()) * np.prod(mask.GetSpacing()) / 1000
            answers[place] = {"volumes": volumes, "masks": str(folder / "masks")}
            for name, rois in phantom["asked"].items():
                _run(
                    program, "convert", "--input-dose-img", phantom["doses"][name],
                    "--output-dose-img", folder / "dose.nrrd",
                )  # fmt: skip
                _run(
                    program, "dvh", "--input-ss-img", folder / "ss.nrrd", "--input-ss-list", folder / "ss.txt",
                    "--input-dose", folder / "dose.nrrd", "--output-csv", folder / "dvh.csv",
                    "--num-bins", "3000", "--bin-width", "0.05",
                )  # fmt: skip
                curves = _curves(folder / "dvh.csv")
                answers[place][name] = {
                    roi: {"volume_cc": volumes[roi], **_read_off(*curves[roi], volumes[roi])} for roi in rois
                }
    except (subprocess.SubprocessError, RuntimeError, KeyError, OSError) as error:
        peer.failed = str(error).splitlines()[0]
        return peer
    peer.answers = answers
    return peer


def plastimatch_curves(
    image: Path, structures: Path, dose: Path, rois: list[str], work: Path
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """ROI -> dose (Gy, steps of 0.01) and cc that receive at least that; nothing where it is not installed."""
    if shutil.which("plastimatch") is None:
        return {}
    _run("plastimatch", "convert", "--input", image, "--output-img", work / "image.nrrd")
    _run(
        "plastimatch", "convert", "--input", structures, "--fixed", work / "image.nrrd", "--output-ss-img", work / "ss.nrrd",
        "--output-ss-list", work / "ss.txt", "--output-prefix", work / "masks", "--prefix-format", "nrrd",
    )  # fmt: skip
    _run("plastimatch", "convert", "--input-dose-img", dose, "--output-dose-img", work / "dose.nrrd")
    _run(
        "plastimatch", "dvh", "--input-ss-img", work / "ss.nrrd", "--input-ss-list", work / "ss.txt",
        "--input-dose", work / "dose.nrrd", "--output-csv", work / "dvh.csv", "--num-bins", "7000", "--bin-width", "0.01",
    )  # fmt: skip
    curves = _curves(work / "dvh.csv")
    found = {}
    for roi in rois:
        mask = sitk.ReadImage(str(work / "masks" / f"{roi}.nrrd"))
        volume = float(sitk.GetArrayViewFromImage(mask).sum()) * np.prod(mask.GetSpacing()) / 1000
        found[roi] = curves[roi][0], curves[roi][1] * volume
    return found


def plastimatch_distances(mask: Path, output: Path) -> tuple[np.ndarray, float]:
    """Its distance map (Maurer) of a mask, mm, negative inside; and the volume of a voxel in mm3."""
    _run("plastimatch", "dmap", "--input", mask, "--output", output, "--algorithm", "maurer")
    image = sitk.ReadImage(str(output))
    return sitk.GetArrayFromImage(image), float(np.prod(image.GetSpacing()))


def _run(*command: object) -> None:
    subprocess.run([str(c) for c in command], capture_output=True, check=True, timeout=60 * MINUTES)


def _curves(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    with path.open() as lines:
        rows = list(csv.reader(lines))
    table = np.array([[float(value) for value in row if value] for row in rows[1:] if row])
    return {name: (table[:, 0], table[:, k]) for k, name in enumerate(rows[0]) if k}


def _read_off(dose: np.ndarray, part: np.ndarray, volume: float) -> dict[str, float | None]:
    spread = np.append(-np.diff(part), part[-1])
    answers: dict[str, float | None] = {"Mean": float(np.average(dose + (dose[1] - dose[0]) / 2, weights=spread))}
    for question in QUESTIONS[:-1]:
        wanted = 0.035 / volume if question.endswith("cc") else float(question[1:-1]) / 100
        enough = np.flatnonzero(part >= wanted - 1e-6)
        answers[question] = float(dose[enough[-1]]) if len(enough) else None
    return answers


# -- margins on masks ------------------------------------------------------------------------------------------------------


def mask_of(structure: Structure) -> sitk.Image:
    """Voxels whose centre lies in the contours: the fairest mask of a structure, on the grid that it is drawn on."""
    grid = structure.grid
    columns, rows = grid.size_uv
    u = grid.origin_uv_mm[0] + grid.spacing_uv_mm[0] * np.arange(columns)
    v = grid.origin_uv_mm[1] + grid.spacing_uv_mm[1] * np.arange(rows)
    inside = np.zeros(grid.shape_zyx, dtype=np.uint8)
    for k, region in structure.planes.items():
        inside[k] = shapely.contains_xy(region, *np.meshgrid(u, v))
    image = sitk.GetImageFromArray(inside)
    image.SetSpacing([float(s) for s in grid.spacing_mm])
    image.SetOrigin([-HALF_MM, -HALF_MM, float(grid.positions_mm[0])])
    return image


def distances(mask: sitk.Image) -> sitk.Image:
    """SimpleITK's exact distance map in mm, negative inside."""
    return sitk.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True)


def grown_by_distance(mask: sitk.Image, mm: float) -> sitk.Image:
    return distances(mask) <= mm


def grown_by_ball(mask: sitk.Image, mm: float) -> sitk.Image:
    radius = [round(mm / s) for s in mask.GetSpacing()]
    return sitk.BinaryDilate(mask, kernelRadius=radius, kernelType=sitk.sitkBall)


def mask_cc(mask: sitk.Image) -> float:
    return float(sitk.GetArrayViewFromImage(mask).sum()) * float(np.prod(mask.GetSpacing())) / 1000


def array_of(mask: sitk.Image) -> np.ndarray:
    """(z, y, x)."""
    return sitk.GetArrayFromImage(mask)
