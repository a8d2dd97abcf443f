from django.urls import path

from notifications import pages

urlpatterns = [
    path("", pages.home),
    path("demo/token", pages.token),
    path("demo/send", pages.send),
]
