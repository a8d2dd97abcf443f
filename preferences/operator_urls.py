from django.urls import path

from preferences import operator_api

urlpatterns = [
    path("suppressions", operator_api.SuppressionListView.as_view()),
    path("suppressions.csv", operator_api.SuppressionCsvView.as_view()),
    path("suppressions/import", operator_api.SuppressionImportView.as_view()),
    path("suppressions/<uuid:id>", operator_api.SuppressionView.as_view()),
]
