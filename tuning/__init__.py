"""Search space, Optuna bridge, schedulers, worker pool, studies, MLflow tracking and the promotion gate."""
