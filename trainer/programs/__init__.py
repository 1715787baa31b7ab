"""The compiled programs of a process: training and decoding."""
