"""Schemas, records, clock, files, hashes: what every other package may import."""
