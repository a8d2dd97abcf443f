from templates_app.admin import templates, versions

__all__ = ["templates", "versions"]
