"""A study and its trials on disk."""
