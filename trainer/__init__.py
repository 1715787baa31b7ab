"""Loads models, trains them and lets them answer. Knows nothing of trials."""

import os

# Before tokenizers is imported, here and in every process that is started: its threads and a fork do not go together.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
