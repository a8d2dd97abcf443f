from django.urls import path

from preferences.user_api import ChannelView, OwnDevicesView, PageLinkView

urlpatterns = [
    path("preferences/link", PageLinkView.as_view(), name="preferences-link"),
    path("preferences/channels/<str:channel>", ChannelView.as_view(), name="preferences-channel"),
    path("devices", OwnDevicesView.as_view(), name="devices"),
]
