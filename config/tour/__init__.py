"""The tour of `bin/demo`: notifications through the running stack, and what became of each.

`host` runs the stack and starts the tour as a process of its own (`python -m config.tour`), because settings
are read once, at the start of a process, and here the engines' addresses are known only once they run.
"""
