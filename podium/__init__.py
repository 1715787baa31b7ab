"""Podium: sweep, compare, promote and run once."""

__version__ = "0.1.0"
