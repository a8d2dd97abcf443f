from django.urls import path

from delivery.user_api import PushKeyView

urlpatterns = [path("push-key", PushKeyView.as_view(), name="push-key")]
