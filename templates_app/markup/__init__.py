"""From what an author wrote, tags of MiniJinja and all, to the HTML and the text that are rendered.

All of it runs in the engine's child, once a version: parsers of others' sources may be made to crash, as
the engine may. It knows neither Django nor the database.
"""
