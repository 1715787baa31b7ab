"""A second way to every answer: from the text of a prompt alone, knowing nothing of how the recipe made it.

Each module has ANSWERS: by template name, a function of the prompt, which is read as the list of its numbers. A number
that it returns is compared exactly; a text letter by letter.
"""
