"""Checks of a run that anyone can make from its files: nothing is taken on trust that can be computed again."""
