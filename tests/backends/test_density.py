"""The table of bulk densities against what mass density and composition of the tissues say."""

import pytest

from reviewer.backends.density import tables

ELECTRONS_PER_MASS = {
    element: number / mass
    for element, number, mass in (
        ("H", 1, 1.008), ("C", 6, 12.011), ("N", 7, 14.007), ("O", 8, 15.999), ("Na", 11, 22.990), ("Mg", 12, 24.305),
        ("P", 15, 30.974), ("S", 16, 32.06), ("Cl", 17, 35.45), ("K", 19, 39.098), ("Ca", 20, 40.078), ("Fe", 26, 55.845),
    )
}  # fmt: skip
WATER = {"H": 2 * 1.008 / 18.015, "O": 15.999 / 18.015}

# ICRU Report 46, adult (heart: its muscle; vertebral body: spongiosa): g/cm³ and parts by mass
TISSUES = {
    "Lungs": (0.26, {"H": 0.103, "C": 0.105, "N": 0.031, "O": 0.749, "Na": 0.002, "P": 0.002, "S": 0.003, "Cl": 0.003, "K": 0.002}),
    "Bowel_Small": (1.03, {"H": 0.106, "C": 0.115, "N": 0.022, "O": 0.751, "Na": 0.001, "P": 0.001, "S": 0.001, "Cl": 0.002, "K": 0.001}),
    "Heart": (1.05, {"H": 0.104, "C": 0.139, "N": 0.029, "O": 0.718, "Na": 0.001, "P": 0.002, "S": 0.002, "Cl": 0.002, "K": 0.003}),
    "Spleen": (1.06, {"H": 0.103, "C": 0.113, "N": 0.032, "O": 0.741, "Na": 0.001, "P": 0.003, "S": 0.002, "Cl": 0.002, "K": 0.003}),
    "Kidney_L": (1.05, {"H": 0.103, "C": 0.132, "N": 0.03, "O": 0.724, "Na": 0.002, "P": 0.002, "S": 0.002, "Cl": 0.002, "K": 0.002, "Ca": 0.001}),
    "Liver": (1.06, {"H": 0.102, "C": 0.139, "N": 0.03, "O": 0.716, "Na": 0.002, "P": 0.003, "S": 0.003, "Cl": 0.002, "K": 0.003}),
    "SpinalCord": (1.04, {"H": 0.107, "C": 0.145, "N": 0.022, "O": 0.712, "Na": 0.002, "P": 0.004, "S": 0.002, "Cl": 0.003, "K": 0.003}),
    "VB": (
        1.18, {"H": 0.085, "C": 0.404, "N": 0.028, "O": 0.367, "Na": 0.001, "Mg": 0.001, "P": 0.034, "S": 0.002, "Cl": 0.001, "K": 0.001, "Ca": 0.076}
    ),
}  # fmt: skip


def electrons(parts):
    return sum(part * ELECTRONS_PER_MASS[element] for element, part in parts.items())


@pytest.mark.parametrize("name", TISSUES)
def test_bulk_densities_are_those_of_the_tissues(name):
    """Relative electron density = density × Σ w Z/A, over that of water; the table has two decimals."""
    density, parts = TISSUES[name]
    assert sum(parts.values()) == pytest.approx(1.0, abs=0.002)
    assert tables().bulk[name] == pytest.approx(density * electrons(parts) / electrons(WATER), abs=0.01)


def test_gas_wins_and_bone_lies_between_spongiosa_and_cortical_bone():
    order = list(tables().bulk)
    assert order[-2:] == ["Gas", "Air"]
    assert order.index("Liver") > order.index("Lungs")
    for name in ("Bone", "Ribs"):
        assert tables().bulk["VB"] < tables().bulk[name] < 1.78
