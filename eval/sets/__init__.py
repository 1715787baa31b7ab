"""What is asked and what was answered: evalsets, their import, prompts, predictions, and overlap with trainsets."""
