"""Loads models, trains them, and generates answers with them. Knows nothing about trials."""

import os

# Set before tokenizers is imported, here and in every child process, because its threads do not survive a fork.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
