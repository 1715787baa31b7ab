"""Devices, their memory, how arrays are divided over them, and the processes that share them."""
