"""The admin site's foundations, and its pages for tenants and their keys."""

from tenants.admin import keys, tenants

__all__ = ["keys", "tenants"]
