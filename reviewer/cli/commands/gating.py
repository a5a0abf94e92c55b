"""`reviewer gating PATH…`: where the target was in a cine, and when the beam would have been on (docs/gating.md)."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from reviewer.backends.discovery import Backend, discover
from reviewer.backends.host import run as run_backend
from reviewer.case import Case, Cine
from reviewer.cli import printable
from reviewer.cli.commands.dvh import named, numbered
from reviewer.cli.inputs import add_input_arguments, load
from reviewer.cli.output import Progress, print_json, print_table
from reviewer.errors import InputError
from reviewer.files import new_file
from reviewer.gating.document import csv_of, document_of
from reviewer.gating.rule import Rule
from reviewer.gating.summary import lines, statements
from reviewer.gating.target import Target, candidates, target_of_polygon, target_of_structure
from reviewer.gating.trace import Timing, Trace, trace_of
from reviewer.gating.tracking import job_of, track_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_input_arguments(parser)
    parser.add_argument(
        "--backend",
        action="append",
        metavar="NAME",
        help="of `reviewer backends`; repeat it to compare, each with the first (default: template)",
    )
    parser.add_argument(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="a setting of the backends; repeatable"
    )
    parser.add_argument("--margin-mm", type=float, default=3.0, metavar="MM", help="target to boundary (default: 3)")
    parser.add_argument(
        "--outside-percent",
        type=float,
        default=5.0,
        metavar="PERCENT",
        help="share of the target outside the boundary that holds the beam (default: 5)",
    )
    parser.add_argument(
        "--target", metavar="NAME", help="structure to follow (default: the first GTV that the cine cuts)"
    )
    parser.add_argument(
        "--polygon",
        metavar="'X,Y X,Y …'",
        help="a target drawn on the reference frame, columns and rows, instead of a structure",
    )
    parser.add_argument("--reference", type=int, metavar="N", help="frame that shows the target in its place, from 0")
    parser.add_argument(
        "--cine", type=int, default=0, metavar="N", help="place in the list of cines of `reviewer info`"
    )
    parser.add_argument(
        "--latency-ms", type=float, default=0.0, metavar="MS", help="the beam follows so much later (default: 0)"
    )
    parser.add_argument(
        "--horizon-ms",
        type=float,
        default=0.0,
        metavar="MS",
        help="decide on where the target will be then (default: 0)",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the trace; never over a file that is there")


def run(arguments: argparse.Namespace) -> int:
    rule = Rule(arguments.margin_mm, arguments.outside_percent)
    timing = Timing(arguments.latency_ms / 1000, arguments.horizon_ms / 1000)
    settings: dict[str, str] = {}
    for text in arguments.setting:
        name, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"{text!r} is no NAME=VALUE", where="--setting")
        settings[name.strip()] = value.strip()
    there = discover()
    backends = [there.get("gating", name) for name in dict.fromkeys(arguments.backend or ["template"])]
    opening = load(arguments)
    if not opening.case.cines:
        raise InputError(
            "the input holds no cine", remedy="add a series of one plane in time, or frames with their rate"
        )
    cine = numbered(opening.case.cines, arguments.cine, "--cine", "cine")
    if not arguments.polygon and arguments.reference is None:
        opening.read_voxels(lambda image_id: None)
    target = _target(opening.case, cine, arguments)
    traces = followed(cine, target, backends, settings, rule, timing)
    if arguments.csv is not None:
        with new_file(arguments.csv) as part:
            part.write_text(csv_of(traces), encoding="utf-8")
    if arguments.json:
        print_json(document_of(traces))
    else:
        _print(traces)
    return 0


def followed(
    cine: Cine,
    target: Target,
    backends: Iterable[Backend],
    settings: Mapping[str, str] = MappingProxyType({}),
    rule: Rule | None = None,
    timing: Timing | None = None,
) -> list[Trace]:
    """One trace for each backend."""
    traces = []
    for backend in backends:
        with Progress() as progress:
            answer = run_backend(backend, job_of(cine, target, settings), progress)
        traces.append(trace_of(track_of(cine, target, answer.result, answer.provenance), rule, timing))
    return traces


def likeliest(case: Case, cine: Cine, named_target: str | None = None, reference: int | None = None) -> Target:
    """The structure of this name, else the first that can be a target (`candidates`). Raises InputError where none can."""
    if not case.structures:
        raise InputError("the input holds no structures", remedy="add the RTSTRUCT to PATH, or draw with --polygon")
    found = candidates(case, cine)
    if named_target:
        wanted = named([s for s, _ in found], [named_target])
        found = [(s, why) for s, why in found if s in wanted]
    structure = next((s for s, why in found if not why), None)
    if structure is None:
        first, why = found[0] if found else (None, "there is no structure with contours")
        raise InputError(why, where=first.name if first else "", remedy="choose another target with --target")
    return target_of_structure(case, cine, structure, reference)


def _target(case: Case, cine: Cine, arguments: argparse.Namespace) -> Target:
    if arguments.polygon:
        if arguments.target:
            raise InputError("give either --target or --polygon")
        try:
            points = [[float(part) for part in corner.split(",")] for corner in arguments.polygon.split()]
        except ValueError:
            raise InputError("corners are written X,Y", where="--polygon") from None
        if any(len(point) != 2 for point in points):
            raise InputError("corners are written X,Y", where="--polygon")
        return target_of_polygon(cine, points, arguments.reference or 0)
    return likeliest(case, cine, arguments.target, arguments.reference)


def _print(traces: Sequence[Trace]) -> None:
    first = traces[0]
    print(
        printable(
            f"{first.track.cine.description}: {len(first.track.regions)} frames, {first.end_s - first.times_s[0]:.1f} s, "
            f"target {first.track.target.name}; held at {first.rule.outside_percent:g} % outside target + {first.rule.margin_mm:g} mm"
        )
    )
    for statement in statements(traces):
        print(printable(f"  {statement}"))
    names = [trace.track.backend for trace in traces]
    print_table(
        "Figures",
        ["", *names],
        [[line.name, *line.values] for line in lines(traces)],
        right=names,
    )
    for trace in traces:
        print_table(
            f"Holds, {trace.track.backend}",
            ["from (s)", "to (s)", "length (s)", "reason"],
            [[f"{h.start_s:.2f}", f"{h.end_s:.2f}", f"{h.length_s:.2f}", h.reason] for h in trace.holds],
            right=["from (s)", "to (s)", "length (s)"],
        )
