"""Plots of a study, as pictures and as an interactive page, by Optuna's own visualization."""
