"""The web process of an installation whose messages come twice."""

from config.asgi import application
from notifications.tests.survival import twice

__all__ = ["application", "twice"]
