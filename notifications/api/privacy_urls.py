from django.urls import path

from notifications.api import preferences, privacy

# Before `recipients/<id>` itself, for an id may hold slashes.
urlpatterns = [
    path("recipients/<path:id>/preferences", preferences.RecipientPreferencesView.as_view()),
    path("recipients/<path:id>/export", privacy.ExportView.as_view()),
    path("recipients/<path:id>/erase", privacy.EraseView.as_view()),
    path("erasures/<uuid:id>", privacy.ErasureView.as_view()),
]
