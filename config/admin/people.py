"""Who may use the admin site: Django's own pages in the site's look."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from tenants.admin.base import ModelAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class OperatorUserAdmin(UserAdmin, ModelAdmin[User]):  # type: ignore[type-arg]  # Django's has no brackets
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class OperatorGroupAdmin(GroupAdmin, ModelAdmin[Group]):
    pass
