from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        from delivery.signals import deliveries_changed  # noqa: PLC0415 - once the apps are loaded
        from notifications import receivers  # noqa: PLC0415

        deliveries_changed.connect(receivers.on_deliveries_changed, dispatch_uid="notifications.receivers")
