"""The clock's own pages (django-celery-beat) in the site's look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django_celery_beat.admin import (
    ClockedScheduleAdmin,
    CrontabScheduleAdmin,
    PeriodicTaskAdmin,
    PeriodicTaskForm,
)
from django_celery_beat.admin import TaskSelectWidget as BeatTaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tenants.admin.base import ModelAdmin

admin.site.unregister([ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule])


class TaskSelectWidget(UnfoldAdminSelectWidget, BeatTaskSelectWidget):  # type: ignore[misc]  # both untyped
    """The registered tasks, as django-celery-beat lists them."""


class TaskForm(PeriodicTaskForm):  # type: ignore[misc]  # untyped
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = TaskSelectWidget()


@admin.register(PeriodicTask)
class TaskAdmin(PeriodicTaskAdmin, ModelAdmin[Any]):  # type: ignore[misc]  # untyped
    form = TaskForm


@admin.register(CrontabSchedule)
class CrontabAdmin(CrontabScheduleAdmin, ModelAdmin[Any]):  # type: ignore[misc]  # untyped
    pass


@admin.register(ClockedSchedule)
class ClockedAdmin(ClockedScheduleAdmin, ModelAdmin[Any]):  # type: ignore[misc]  # untyped
    pass


@admin.register(IntervalSchedule, SolarSchedule)
class ScheduleAdmin(ModelAdmin[Any]):
    pass
