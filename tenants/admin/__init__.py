"""The admin site's foundations, and its pages for tenants and their keys."""

from tenants.admin import keys, lookups, tenants

__all__ = ["keys", "lookups", "tenants"]
