"""Compiles the programs of a run for a machine that is not there: whether they fit, and what would make them fit."""
