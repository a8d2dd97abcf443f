from templates_app.admin import house, templates, versions

__all__ = ["house", "templates", "versions"]
