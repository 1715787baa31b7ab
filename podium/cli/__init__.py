"""The `podium` command. No logic that a notebook would want lives here."""
