"""The built-in model: a Hugging Face folder without weights, which the seed makes. config.json has its sizes."""
