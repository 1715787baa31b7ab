"""Lock, claim, run-once, evidence and package."""
