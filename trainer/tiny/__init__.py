"""The built-in model: a Hugging Face folder without weights. config.json holds its sizes; its weights come from the seed."""
