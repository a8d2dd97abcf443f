from django.urls import path

from templates_app import api, preview_api

urlpatterns = [
    path("templates", api.TemplateList.as_view()),
    path("templates/<slug:code>", api.TemplateDetail.as_view()),
    path("templates/<slug:code>/versions", api.VersionList.as_view()),
    path("templates/<slug:code>/versions/<int:number>", api.VersionDetail.as_view()),
    path("templates/<slug:code>/versions/<int:number>/publish", api.VersionPublish.as_view()),
    path("templates/<slug:code>/versions/<int:number>/preview", preview_api.VersionPreview.as_view()),
    path("templates/<slug:code>/preview", preview_api.VersionPreview.as_view(), name="template_preview"),
    path("templates/<slug:code>/versions/<int:number>/lint", preview_api.VersionLint.as_view()),
    path("templates/<slug:code>/lint", preview_api.VersionLint.as_view(), name="template_lint"),
]
