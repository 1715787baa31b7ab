"""Untrusted Python. `sandbox.py` runs in our process; `server.py`, `program.py` and `lockdown.py` in the child's.

The child imports this folder as the top-level package `sandbox`: nothing may be imported here.
"""
