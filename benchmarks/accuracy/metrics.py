"""The last table of `make accuracy`: the metrics of the field on the embedded case, beside dicompyler-core and plastimatch.

Of the peers their curves are taken, in steps of 0.01 Gy, and every metric is worked out from those in one and the same way: so the table compares
what the programs do with contours and dose, not how each reads its own curve.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from programs import ask, plastimatch_curves
from tables import put, table

from reviewer.case import Case, Dose
from reviewer.cli import main as reviewer
from reviewer.demo import demo_folder
from reviewer.opening import begin

Floats = NDArray[np.float64]

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"

ASKED = {
    "PTV_1": ("D95%[Gy]", "D2%[Gy]", "Min[Gy]", "Median[Gy]", "Mean[Gy]", "Max[Gy]", "gEUD(-10)[Gy]", "CI_Paddick", "CI_RTOG", "R50"),
    "Liver": ("DC700cc[Gy]", "CV15.7Gy[cc]", "V18Gy[cc]", "Mean[Gy]", "gEUD(3)[Gy]"),
    "Duodenum": ("D0.035cc[Gy]", "D0.5cc[Gy]", "V18Gy[cc]", "Max[Gy]", "gEUD(8)[Gy]"),
    "Kidney_R": ("D0.035cc[Gy]", "D0.5cc[Gy]", "V18Gy[cc]", "Mean[Gy]", "Max[Gy]"),
    "SpinalCord": ("D0.035cc[Gy]", "D2%[Gy]", "Max[Gy]"),
}  # fmt: skip
OUTSIDE = "Body"
"""Where isodose volumes are counted; the target of a conformity is the structure asked."""


def main() -> None:
    case = begin([demo_folder()]).case
    there = next(d for d in case.doses if d.label.endswith("adapted"))
    group = case.structure_set(there.structure_set_id)
    prescribed = case.plan(there.plan_id).prescribed_gy
    ours = _ours(case, there)
    rois = {s.name: s.number for s in group.structures if s.name in (*ASKED, OUTSIDE)}
    job = {
        "phantoms": {
            "demo": {
                "structures": group.path,
                "doses": {"dose": there.path},
                "rois": rois,
                "asked": {"dose": list(rois)},
            }
        },
        "questions": [],
        "finer": False,
        "curves": True,
    }
    peer = ask("dicompyler-core", "peer_dicompyler.py", job)
    found = peer.answers["demo"]["dose"] if peer.answers else {}
    theirs = {name: tuple(map(np.array, answers["curve"])) for name, answers in found.items() if "curve" in answers}
    with tempfile.TemporaryDirectory() as folder:
        image = _folder_of(Path(group.path).parents[1], group.image_id, case)
        plasti = plastimatch_curves(image, Path(group.path), Path(there.path), list(rois), Path(folder))
    rows = []
    for name, questions in ASKED.items():
        for question in questions:
            value = ours[name][question]
            others = [_value(question, curves, name, prescribed) for curves in (theirs, plasti)]
            cells = [cell for other in others for cell in _beside(value, other)]
            rows.append([name, question, f"{value:.2f}", *cells])
    heads = ["structure", "metric", "**Reviewer**", "dicompyler-core", "differs by", "plastimatch", "differs by"]
    put(DOCUMENT, {"metrics": table(heads, rows)})


def _ours(case: Case, dose: Dose) -> dict[str, dict[str, float]]:
    answers = {}
    for name, questions in ASKED.items():
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            words = [word for question in questions for word in ("-m", question)]
            reviewer(["dvh", str(demo_folder()), "--json", "--dose", str(case.doses.index(dose)), "-s", name, *words])
        answers[name] = next(s["metrics"] for s in json.loads(printed.getvalue())["structures"] if s["name"] == name)
    return answers


def _folder_of(folder: Path, image_id: str | None, case: Case) -> Path:
    """Where the files of an image lie."""
    assert image_id is not None
    for path in sorted(folder.rglob("*.dcm")):
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
        if str(header.SeriesInstanceUID) == image_id:
            return path.parent
    raise FileNotFoundError(f"{image_id} in {folder}")


def _value(question: str, curves: dict[str, tuple[Floats, Floats]], name: str, prescribed: float) -> float | None:
    """From cumulative curves: (n,) lower dose of each bin, Gy, and (n,) cc that receive at least that."""
    if name not in curves or OUTSIDE not in curves:
        return None
    (dose, cc), (far, isodose) = curves[name], curves[OUTSIDE]
    volume, width = float(cc[0]), float(dose[1] - dose[0])
    spread = np.append(-np.diff(cc), cc[-1])
    middles = dose + width / 2

    def at_least(level: float, dose: Floats, cc: Floats) -> float:
        return float(np.interp(level, dose, cc, right=0.0))

    def hottest(amount: float) -> float:
        return float(np.interp(-amount, -cc, dose))

    filled = np.flatnonzero(spread > 0)
    target, pi = at_least(prescribed, dose, cc), at_least(prescribed, far, isodose)
    kind = question.split("[")[0]
    if kind.startswith("gEUD"):
        a = float(kind[5:-1])
        return float(np.average(middles[filled] ** a, weights=spread[filled]) ** (1 / a))
    simple = {
        "Mean": lambda: float(np.average(middles, weights=spread)),
        "Median": lambda: hottest(volume / 2),
        "Min": lambda: float(dose[filled[0]]),
        "Max": lambda: float(dose[filled[-1]] + width),
        "CI_Paddick": lambda: target**2 / (volume * pi),
        "CI_RTOG": lambda: pi / volume,
        "R50": lambda: at_least(prescribed / 2, far, isodose) / volume,
    }
    if kind in simple:
        return simple[kind]()
    letters, number = re.match(r"([A-Z]+)([0-9.]+)", kind).groups()
    amount = float(number)
    if letters in ("V", "CV"):
        above = at_least(amount, dose, cc)
        return above if letters == "V" else volume - above
    part = amount / 100 * volume if kind.endswith("%") else amount
    return hottest(part if letters == "D" else volume - part)


def _beside(value: float, other: Any) -> list[str]:
    return ["—", ""] if other is None else [f"{other:.2f}", f"{other - value:+.2f}"]


if __name__ == "__main__":
    main()
