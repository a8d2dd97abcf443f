from typing import Any

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        from delivery.signals import deliveries_changed  # noqa: PLC0415 - once the apps are loaded

        deliveries_changed.connect(_on_deliveries_changed, dispatch_uid="notifications.receivers")


def _on_deliveries_changed(**news: Any) -> None:
    """The receiver is loaded by whoever has news: beat has none, and would carry all of this app with it."""
    from notifications import receivers  # noqa: PLC0415

    receivers.on_deliveries_changed(**news)
