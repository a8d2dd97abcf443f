from delivery.admin import accounts, deliveries, replies

__all__ = ["accounts", "deliveries", "replies"]
