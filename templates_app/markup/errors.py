class MarkupError(Exception):
    """What an author wrote cannot be made into a mail. The message is for them."""
