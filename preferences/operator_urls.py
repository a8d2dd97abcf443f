from django.urls import path

from preferences import block_api, category_api, operator_api

urlpatterns = [
    path("blocks", block_api.BlocksView.as_view()),
    path("blocks/channels/<str:channel>", block_api.ChannelBlockView.as_view()),
    path("blocks/categories/<slug:code>", block_api.CategoryBlockView.as_view()),
    path("blocks/recipients", block_api.BlockedRecipientsView.as_view()),
    path("blocks/recipients/<path:id>", block_api.RecipientBlockView.as_view()),
    path("categories", category_api.CategoryListView.as_view()),
    path("categories/<slug:code>", category_api.CategoryView.as_view()),
    path("suppressions", operator_api.SuppressionListView.as_view()),
    path("suppressions.csv", operator_api.SuppressionCsvView.as_view()),
    path("suppressions/import", operator_api.SuppressionImportView.as_view()),
    path("suppressions/<uuid:id>", operator_api.SuppressionView.as_view()),
]
