"""A pretend Kaggle: executes the notebook of a lock with read-only inputs, without network, and within limits."""
