from django.urls import path

from notifications.api import lookups

urlpatterns = [
    path("lookups", lookups.LookupsView.as_view()),
    path("lookups/<slug:type>", lookups.LookupView.as_view()),
    path("admin/lookups/<slug:type>", lookups.OperatorLookupView.as_view()),
    path("admin/lookups/<slug:type>/<slug:code>", lookups.OperatorLookupValueView.as_view()),
]
