"""The built-in model: a Hugging Face folder without weights, which come from the seed. config.json has its sizes."""
