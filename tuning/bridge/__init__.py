"""The bridge between Ray Tune and Optuna: proposes trials and records their results."""
