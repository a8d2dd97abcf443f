class StartError(Exception):
    """Something the stack needs could not be started; the message is one line that says how to mend it."""
