"""The compiled programs of a process."""
