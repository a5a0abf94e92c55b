"""Derived structures: their notation, their values, and what keeps them up to date."""
