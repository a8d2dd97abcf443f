from preferences.admin import categories, recipients, suppressions

__all__ = ["categories", "recipients", "suppressions"]
