from django.urls import path

from notifications.api import batches, services

urlpatterns = [
    path("services/notifications", services.NotificationListView.as_view()),
    path("services/notifications/send", services.SendView.as_view()),
    path("services/notifications/explain", services.ExplainView.as_view()),
    path("services/notifications/send-batch", batches.SendBatchView.as_view()),
    path("services/notifications/send-chunk", batches.SendChunkView.as_view()),
    path("services/notifications/batches/<uuid:id>", batches.BatchView.as_view()),
    path("services/notifications/batches/<uuid:id>/notifications", batches.BatchNotificationsView.as_view()),
    path("services/notifications/<uuid:id>", services.NotificationView.as_view()),
]
