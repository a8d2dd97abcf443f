from django.urls import path, re_path

from notifications.hosted.looks import colors
from notifications.hosted.preferring import preferences
from notifications.hosted.unsubscribing import unsubscribe

urlpatterns = [
    path("unsubscribe/<str:token>", unsubscribe, name="hosted-unsubscribe"),
    path("preferences/<str:token>", preferences, name="hosted-preferences"),
    re_path(r"^colors/([0-9a-f]{6})-([0-9a-f]{6})\.css$", colors, name="hosted-colors"),
]
