"""The admin site as a whole: its front page, and the pages of what other packages brought along."""

from django.contrib import admin

from config.admin import beat, people, tenants

__all__ = ["beat", "people", "tenants"]

admin.site.index_template = "config/dashboard.html"
admin.site.index_title = "Dashboard"
