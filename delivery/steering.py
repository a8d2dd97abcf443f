"""An operator's hand on an account: pinned it is used first, drained it gets nothing new."""

from __future__ import annotations

from django.utils import timezone

from delivery.models import ProviderAccount, Steering


def steer(account: ProviderAccount, steering: Steering | None, *, by: str, reason: str = "") -> None:
    """Keep who, when and why with the account. None leaves it to priority, weight and health again.

    Routing reads it with the account, so it holds from the next chunk on.
    """
    account.steering = steering.value if steering else ""
    account.steering_reason, account.steered_by = reason[:200], by[:150]
    account.steered_at = timezone.now()
    account.save(update_fields=["steering", "steering_reason", "steered_by", "steered_at"])
