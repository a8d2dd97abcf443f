from typing import Any

from django.apps import AppConfig


class DeliveryConfig(AppConfig):
    name = "delivery"
    verbose_name = "Delivery"

    def ready(self) -> None:
        from preferences.signals import preferences_changed  # noqa: PLC0415 - once the apps are loaded

        preferences_changed.connect(_on_preferences_changed, dispatch_uid="delivery.consent")


def _on_preferences_changed(*, tenant_id: Any, recipient_ids: Any, **news: Any) -> None:
    """The receiver is loaded by whoever has news, as that of `deliveries_changed` is."""
    from delivery import consent  # noqa: PLC0415

    consent.ask_again(tenant_id, recipient_ids)
