from django.urls import path

from notifications import pages

urlpatterns = [
    path("", pages.home),
    path("notifications/", pages.center),
    path("demo/token", pages.token),
    path("demo/send", pages.send),
]
