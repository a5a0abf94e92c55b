"""Your own accuracy tests go beside this one: the conformance suite knows the contract, not the physics."""

from pathlib import Path

from reviewer.backends.conformance import conform
from reviewer.backends.discovery import Backend

PLUGIN = Path(__file__).with_name("primary_dose.py")


def test_it_conforms() -> None:
    backend = Backend.here("dose", "primary", f"{PLUGIN}:PrimaryDose")
    assert [trial for trial in conform(backend) if not trial.passed] == []
