"""ARC-AGI: grids, tasks, the competition's submission file, and candidate programs.

The formats are those of the ARC Prize competitions on Kaggle; the tasks are from fchollet/ARC-AGI.
"""
