"""What beat rings for, against what workers know."""

from celery import current_app
from django.conf import settings


def test_it_works() -> None:
    current_app.loader.import_default_modules()
    rung_for = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert rung_for <= current_app.tasks.keys()
