# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["dicompyler-core==0.5.6", "pydicom<3", "numpy", "scikit-image"]
# ///
"""Volumes and DVH values of dicompyler-core. Standard input: the phantoms as JSON; standard output: its answers."""

import json
import sys

import numpy as np
import pydicom
from dicompylercore import dvhcalc


def options(dose_path):
    """Its finest sampling that stays quick: half a dose pixel, three layers between planes."""
    row, column = pydicom.dcmread(dose_path, stop_before_pixels=True).PixelSpacing
    return {"interpolation_resolution": (row / 2, column / 2), "interpolation_segments_between_planes": 3}


def values(found, questions):
    """Read off its curve, the highest dose that the wanted volume receives: its own `statistic` answers 0.0 where no bin matches, see `zeros`."""
    counts, dose = np.asarray(found.counts), np.asarray(found.bins)[:-1]
    volume = float(found.volume)
    spread = np.append(-np.diff(counts), counts[-1])
    answers = {"volume_cc": volume, "Mean": float(np.average(dose + 0.005, weights=spread)), "zeros": 0}
    for question in questions:
        amount = float(question[1:].rstrip("%c"))
        wanted = amount if question.endswith("cc") else amount / 100 * volume
        enough = np.flatnonzero(counts >= wanted * (1 - 1e-9))
        answers[question] = float(dose[enough[-1]]) if len(enough) else None
        own = float(found.statistic(question.rstrip("%")).value)
        answers["zeros"] += own == 0.0 and bool(answers[question])
    return answers


def main():
    job = json.load(sys.stdin)
    answers = {}
    for place, phantom in job["phantoms"].items():
        for name, rois in phantom["asked"].items():
            dose = phantom["doses"][name]
            finer = options(dose) if job["finer"] else {}
            for roi in rois:
                try:
                    number = phantom["rois"][roi]
                    curve = dvhcalc.get_dvh(phantom["structures"], dose, number, **finer)
                    found = values(curve, job["questions"])
                    if job.get("curves"):
                        found["curve"] = [list(map(float, curve.bins[:-1])), list(map(float, curve.counts))]
                except Exception as error:
                    found = {"failed": f"{type(error).__name__}: {error}"}
                answers.setdefault(place, {}).setdefault(name, {})[roi] = found
    json.dump(answers, sys.stdout)


main()
