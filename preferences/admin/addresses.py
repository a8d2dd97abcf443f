from preferences.addresses import mask


def shown(channel: str, address: str) -> str:
    """Masked; the feed's address is only an id of ours, so it goes by name."""
    return "the feed" if channel == "in_app" else mask(channel, address)
