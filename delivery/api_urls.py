from django.urls import path

from delivery import api

urlpatterns = [
    path("providers", api.ProviderList.as_view()),
    path("providers/<uuid:id>", api.ProviderDetail.as_view()),
    path("providers/<uuid:id>/check", api.ProviderCheck.as_view()),
    path("providers/<uuid:id>/steer", api.ProviderSteer.as_view()),
]
