"""Between Ray Tune and Optuna: proposes trials and records what became of them."""
