# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["rt-utils==1.2.7"]
# ///
"""Volumes of the masks of rt-utils, in cc."""

import json
import sys

from rt_utils import RTStructBuilder


def main():
    job = json.load(sys.stdin)
    answers = {}
    for place, phantom in job["phantoms"].items():
        structures = RTStructBuilder.create_from(
            dicom_series_path=phantom["image"], rt_struct_path=phantom["structures"]
        )
        for roi in phantom["rois"]:
            mask = structures.get_roi_mask_by_name(roi)
            answers.setdefault(place, {})[roi] = float(mask.sum()) * job["pixel_mm"] ** 2 * phantom["slices_mm"] / 1000
    print(json.dumps(answers), file=sys.stdout)


main()
