from notifications.admin import batches, digests, erasures, notifications, recipients

__all__ = ["batches", "digests", "erasures", "notifications", "recipients"]
