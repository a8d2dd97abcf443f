from django.urls import path

from notifications.api import preferences, users

urlpatterns = [
    path("preferences", preferences.OwnPreferencesView.as_view(), name="preferences"),
    path("preferences/choices", preferences.OwnChoicesView.as_view()),
    path("notifications", users.NotificationsView.as_view()),
    path("notifications/unread-count", users.UnreadCountView.as_view()),
    path("notifications/received", users.ManyReceivedView.as_view()),
    path("notifications/seen", users.ManySeenView.as_view()),
    path("notifications/mark-all-read", users.MarkAllReadView.as_view()),
    path("notifications/stats", users.StatsView.as_view()),
    path("notifications/pending", users.PendingView.as_view()),
    path("notifications/<uuid:item_id>", users.NotificationView.as_view()),
    path("notifications/<uuid:item_id>/seen", users.SeenView.as_view()),
    path("notifications/<uuid:item_id>/clicked", users.ClickedView.as_view()),
    path("notifications/<uuid:item_id>/read", users.ReadView.as_view()),
    path("notifications/<uuid:item_id>/unread", users.UnreadView.as_view()),
    path("notifications/<uuid:item_id>/archive", users.ArchiveView.as_view()),
    path("notifications/<uuid:item_id>/unarchive", users.UnarchiveView.as_view()),
]
