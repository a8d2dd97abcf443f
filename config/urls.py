from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

import tenants.schema  # noqa: F401  the OpenAPI document's authentication schemes
from config import health

admin.autodiscover()

urlpatterns = [
    path("", include("notifications.page_urls")),
    path("", include("notifications.hosted.urls")),
    path("api/v1/services/", include("notifications.api.privacy_urls")),
    path("api/v1/services/", include("preferences.urls")),
    path("api/v1/admin/", include("templates_app.urls")),
    path("api/v1/admin/", include("delivery.api_urls")),
    path("api/v1/admin/", include("preferences.operator_urls")),
    path("api/v1/users/me/", include("notifications.api.user_urls")),
    path("api/v1/users/me/", include("preferences.user_urls")),
    path("api/v1/users/me/", include("delivery.user_urls")),
    path("api/v1/", include("notifications.api.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("webhooks/", include("delivery.urls")),
    path("health", health.live),
    path("health/ready", health.ready),
    path("metrics", health.metrics),
    path("admin/", admin.site.urls),
]

handler400 = "tenants.problems.bad_request"
handler403 = "tenants.problems.permission_denied"
handler404 = "tenants.problems.not_found"
handler500 = "tenants.problems.server_error"
