from delivery.admin import accounts, deliveries

__all__ = ["accounts", "deliveries"]
