"""The composition root: it imports every part of the house and no part imports it."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
