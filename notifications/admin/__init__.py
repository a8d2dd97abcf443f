from notifications.admin import batches, notifications

__all__ = ["batches", "notifications"]
