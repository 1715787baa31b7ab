"""A report of a study as one self-contained HTML page: what happened, what won, why, and what to do now."""
