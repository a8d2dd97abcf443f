from notifications.admin import batches, erasures, notifications, recipients

__all__ = ["batches", "erasures", "notifications", "recipients"]
