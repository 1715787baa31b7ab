"""How much device memory a program needs, and what to change when it does not fit."""
