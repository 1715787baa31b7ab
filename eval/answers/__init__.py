"""Find the answer in a model's text: extraction, normalisation, quantities with units."""
