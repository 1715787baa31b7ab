"""Devices, processes, meshes and bytes of device memory."""
