from django.urls import path

from templates_app import api

urlpatterns = [
    path("templates", api.TemplateList.as_view()),
    path("templates/<slug:code>", api.TemplateDetail.as_view()),
    path("templates/<slug:code>/versions", api.VersionList.as_view()),
    path("templates/<slug:code>/versions/<int:number>", api.VersionDetail.as_view()),
    path("templates/<slug:code>/versions/<int:number>/publish", api.VersionPublish.as_view()),
    path("templates/<slug:code>/versions/<int:number>/preview", api.VersionPreview.as_view()),
    path("templates/<slug:code>/preview", api.VersionPreview.as_view(), name="template_preview"),
]
