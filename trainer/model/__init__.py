"""The decoder, its weights and adapters, and where models come from."""
