"""`reviewer backends`: the dose and tracking engines that are installed, and whether one keeps to the contract (docs/backends.md)."""

from __future__ import annotations

import argparse
from typing import Any

from reviewer.backends.conformance import Trial, conform
from reviewer.backends.contract import Setting
from reviewer.backends.discovery import KINDS, Backend, Found, discover, manifest_folder
from reviewer.backends.host import Description, describe
from reviewer.backends.installation import install, installable
from reviewer.cli import printable
from reviewer.cli.output import print_json, print_table
from reviewer.errors import InputError, ReviewerError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--conform", metavar="NAME", help="try a backend on small phantoms; exit with 1 where it fails")
    parser.add_argument(
        "--install", metavar="NAME", help="make the environment of an engine that comes with Reviewer, and try it"
    )
    parser.add_argument("--kind", choices=KINDS, help="only of this kind")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(arguments: argparse.Namespace) -> int:
    if arguments.install is not None:
        install(arguments.install, lambda line: print(printable(line), flush=True))
    found = discover()
    name = arguments.install or arguments.conform
    if name is not None:
        return _conform(found, name, arguments)
    rows = [_asked(backend) for backend in found.backends if arguments.kind in (None, backend.kind)]
    if arguments.json:
        print_json(
            {
                "backends": [_document(*row) for row in rows],
                "broken": [{"name": b.name, "origin": b.origin, "reason": b.reason} for b in found.broken],
                "manifest_folder": manifest_folder(),
            }
        )
        return 0
    cells = [
        [b.kind, b.name, d.info.title, d.info.version, d.info.licence, d.reason or "ready", b.origin]
        if d is not None
        else [b.kind, b.name, "", "", "", reason, b.origin]
        for b, d, reason in rows
    ]
    print_table("Backends", ["kind", "name", "title", "version", "licence", "state", "from"], cells)
    print_table("Cannot be used", ["name", "why", "from"], [[b.name, b.reason, b.origin] for b in found.broken])
    for backend, description, _ in rows:
        if description is not None:
            settings = [[s.name, s.label, _range(s), str(s.default), s.unit] for s in description.settings]
            print_table(f"Settings of {backend.name}", ["name", "is", "range", "default", "unit"], settings)
    for name in sorted(set(installable()) - {backend.name for backend in found.backends}):
        print(f"\nNot installed: {name}, see `reviewer backends --install {name}`")
    print(f"\nEngines in environments of their own are found by manifests in {printable(str(manifest_folder()))}")
    return 0


def _asked(backend: Backend) -> tuple[Backend, Description | None, str]:
    """The backend, what it says of itself, and why it says nothing."""
    try:
        return backend, describe(backend), ""
    except ReviewerError as error:
        return backend, None, str(error)


def _document(backend: Backend, description: Description | None, reason: str) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": backend.kind,
        "name": backend.name,
        "origin": backend.origin,
        "entry": backend.entry,
        "interpreter": backend.interpreter,
        "reason": reason if description is None else description.reason,
    }
    if description is not None:
        info = description.info
        document |= {
            "title": info.title,
            "version": info.version,
            "licence": info.licence,
            "api": info.api,
            "magnetic_field": info.magnetic_field,
            "statistical": info.statistical,
            "needs": info.needs,
            "settings": [vars(setting) for setting in description.settings],
        }
    return document


def _range(setting: Setting) -> str:
    if setting.kind == "choice":
        return " | ".join(setting.choices)
    if setting.kind == "flag":
        return "yes | no"
    low, high = ("" if limit is None else f"{limit:g}" for limit in (setting.minimum, setting.maximum))
    return f"{low}…{high}" if low or high else ""


def _conform(found: Found, name: str, arguments: argparse.Namespace) -> int:
    chosen = [b for b in found.backends if b.name == name and arguments.kind in (None, b.kind)]
    if len(chosen) > 1:
        raise InputError(f"there are two backends {name!r}", remedy="say which with --kind")
    backend = chosen[0] if chosen else found.get(arguments.kind or KINDS[0], name)
    trials: list[Trial] = []
    for trial in conform(backend):
        trials.append(trial)
        if not arguments.json:
            detail = f": {trial.detail}" if trial.detail else ""
            print(printable(f"{'✓' if trial.passed else '✗'} {trial.name}{detail}"), flush=True)
    passed = all(trial.passed for trial in trials)
    if arguments.json:
        print_json({"backend": name, "passed": passed, "trials": [vars(trial) for trial in trials]})
    return 0 if passed else 1
