"""From what a model wrote to the answer in it: extraction, normalisation, quantities with units."""
