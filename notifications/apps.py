from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        from delivery.signals import deliveries_changed
        from notifications import receivers

        deliveries_changed.connect(receivers.on_deliveries_changed, dispatch_uid="notifications.receivers")
