"""Repairs a study: what is damaged is kept under another name, and what follows from other files is rebuilt."""

from tuning.repair.study import repair_study

__all__ = ["repair_study"]
