from django.urls import path

from preferences.api import DevicesView, PresenceView, RecipientView, TokenView
from preferences.directory_api import BulkView, RecipientListView

# An id may hold slashes, so what follows it is looked for first.
urlpatterns = [
    path("recipients", RecipientListView.as_view(), name="recipients"),
    path("recipients/bulk", BulkView.as_view(), {"id": "bulk"}, name="recipients-bulk"),
    path("recipients/<path:id>/devices", DevicesView.as_view(), name="recipient-devices"),
    path("recipients/<path:id>/presence", PresenceView.as_view(), name="recipient-presence"),
    path("recipients/<path:id>/token", TokenView.as_view(), name="recipient-token"),
    path("recipients/<path:id>", RecipientView.as_view(), name="recipient"),
]
