"""Run untrusted Python. `sandbox.py` runs in our process; `server.py`, `program.py` and `lockdown.py` in a child.

The child imports this folder as the top-level package `sandbox`, so this file must import nothing.
"""
