"""Schemas, records, clock, files and hashes, which every other package may import."""
