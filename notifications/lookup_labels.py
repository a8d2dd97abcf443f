"""What the values of our own lists are called. List → code → locale → label; `en` is always there."""

from __future__ import annotations

from collections.abc import Mapping


def _both(**labels: tuple[str, str]) -> dict[str, dict[str, str]]:
    return {code: {"en": english, "de": german} for code, (english, german) in labels.items()}


LABELS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "statuses": _both(
        accepted=("Accepted", "Angenommen"),
        scheduled=("Scheduled", "Geplant"),
        pending=("Pending", "Ausstehend"),
        processing=("Processing", "In Arbeit"),
        queued=("Queued", "Wartend"),
        deferred=("Deferred", "Aufgeschoben"),
        sending=("Sending", "Wird gesendet"),
        sent=("Sent", "Gesendet"),
        delivered=("Delivered", "Zugestellt"),
        completed=("Completed", "Abgeschlossen"),
        failed=("Failed", "Fehlgeschlagen"),
        suppressed=("Suppressed", "Unterdrückt"),
        expired=("Expired", "Abgelaufen"),
        canceled=("Canceled", "Abgebrochen"),
    ),
    "priorities": _both(
        urgent=("Urgent", "Dringend"),
        high=("High", "Hoch"),
        normal=("Normal", "Normal"),
        low=("Low", "Niedrig"),
    ),
    "channels": _both(
        in_app=("In the app", "In der App"),
        email=("Email", "E-Mail"),
        sms=("Text message", "SMS"),
        whatsapp=("WhatsApp", "WhatsApp"),
        push=("Push", "Push"),
        slack=("Slack", "Slack"),
        discord=("Discord", "Discord"),
        webhook=("Webhook", "Webhook"),
    ),
    "notification_types": _both(
        info=("Information", "Information"),
        success=("Success", "Erfolg"),
        warning=("Warning", "Warnung"),
        error=("Error", "Fehler"),
        system=("System", "System"),
    ),
    "categories": _both(
        transactional=("Transactional", "Transaktional"),
        marketing=("Marketing", "Marketing"),
        system=("System", "System"),
        alert=("Alerts", "Warnungen"),
    ),
}
