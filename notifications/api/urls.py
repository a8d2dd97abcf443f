from django.urls import include, path

from notifications.api import batches, dead_letters, operators, privacy, services, trials

urlpatterns = [
    path("", include("notifications.api.lookup_urls")),
    path("services/notifications", services.NotificationListView.as_view()),
    path("services/notifications/send", services.SendView.as_view()),
    path("services/notifications/explain", services.ExplainView.as_view()),
    path("services/notifications/send-batch", batches.SendBatchView.as_view()),
    path("services/notifications/send-chunk", batches.SendChunkView.as_view()),
    path("services/notifications/batches/<uuid:id>", batches.BatchView.as_view()),
    path("services/notifications/batches/<uuid:id>/notifications", batches.BatchNotificationsView.as_view()),
    path("services/notifications/<uuid:id>", services.NotificationView.as_view()),
    path("admin/deliveries", operators.DeliveryListView.as_view()),
    path("admin/deliveries.csv", operators.DeliveryCsvView.as_view()),
    path("admin/deliveries/dead-letters", dead_letters.DeadLettersView.as_view()),
    path("admin/deliveries/retry", dead_letters.RetryManyView.as_view()),
    path("admin/deliveries/<uuid:id>", operators.DeliveryView.as_view()),
    path("admin/deliveries/<uuid:id>/retry", dead_letters.RetryView.as_view()),
    path("admin/erase", privacy.EraseStrangerView.as_view()),
    path("admin/stats", operators.StatsView.as_view()),
    path("admin/templates/<slug:code>/test-send", trials.SendTestView.as_view()),
    path("admin/notifications", operators.NotificationListView.as_view()),
    path("admin/notifications/<uuid:id>", operators.NotificationView.as_view()),
]
