# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["surface-distance==0.1", "numpy"]
# ///
"""Surface metrics of surface-distance (DeepMind) on masks: {"pairs": {name: [file.npz with a, b, spacing]}}."""

import json
import sys

import numpy as np
import surface_distance


def main():
    job = json.load(sys.stdin)
    answers = {}
    for name, path in job["pairs"].items():
        pair = np.load(path)
        a, b = pair["a"], pair["b"]
        found = surface_distance.compute_surface_distances(a, b, pair["spacing"])
        there, back = surface_distance.compute_average_surface_distance(found)
        answers[name] = {
            "dice": float(surface_distance.compute_dice_coefficient(a, b)),
            "mean_surface_distance_mm": float(there + back) / 2,
            "hd95_mm": float(surface_distance.compute_robust_hausdorff(found, 95)),
            "hausdorff_mm": float(surface_distance.compute_robust_hausdorff(found, 100)),
            "surface_dice": {
                f"{mm:g}": float(surface_distance.compute_surface_dice_at_tolerance(found, mm)) for mm in (1, 2)
            },
        }
    json.dump(answers, sys.stdout)


main()
