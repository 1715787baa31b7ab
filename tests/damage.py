"""Damages files as a disk does."""

from pathlib import Path


def flip_bit(path: Path, position: int | None = None, bit: int = 0) -> None:
    """Flip one bit of a file, in its middle unless a byte is given."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2 if position is None else position] ^= 1 << bit
    path.write_bytes(data)
