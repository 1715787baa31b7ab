"""A complete run as one zip: what is in it, how its bytes are laid out, and who signed it."""
