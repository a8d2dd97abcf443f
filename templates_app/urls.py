from django.urls import path

from templates_app import api, layout_api, partial_api, preview_api, release_api, version_api
from templates_app.house_views import PublishAnew

_VERSION = "templates/<slug:code>/versions/<int:number>"

urlpatterns = [
    path("layouts", layout_api.LayoutList.as_view()),
    path("layouts/<slug:code>", layout_api.LayoutOne.as_view()),
    path("layouts/<slug:code>/publish-anew", PublishAnew.as_view(kind="layout")),
    path("partials", partial_api.PartialList.as_view()),
    path("partials/<slug:code>", partial_api.PartialOne.as_view()),
    path("partials/<slug:code>/publish-anew", PublishAnew.as_view(kind="partial")),
    path("brand", partial_api.BrandOne.as_view()),
    path("brand/publish-anew", PublishAnew.as_view(kind="brand")),
    path("templates", api.TemplateList.as_view()),
    path("templates/<slug:code>", api.TemplateDetail.as_view()),
    path("templates/<slug:code>/restore", api.TemplateRestore.as_view()),
    path("templates/<slug:code>/versions", version_api.VersionList.as_view()),
    path(_VERSION, version_api.VersionDetail.as_view()),
    path(f"{_VERSION}/schema", version_api.VersionSchema.as_view()),
    path(f"{_VERSION}/diff/<int:other>", version_api.VersionDiff.as_view()),
    path(f"{_VERSION}/archive", version_api.VersionArchive.as_view()),
    path(f"{_VERSION}/restore", version_api.VersionRestore.as_view()),
    path(f"{_VERSION}/publish", release_api.VersionPublish.as_view()),
    path("templates/<slug:code>/canary", release_api.CanaryDetail.as_view()),
    path("templates/<slug:code>/canary/promote", release_api.CanaryPromote.as_view()),
    path("templates/<slug:code>/releases", release_api.ReleaseList.as_view()),
    path("templates/<slug:code>/versions/<int:number>/preview", preview_api.VersionPreview.as_view()),
    path("templates/<slug:code>/preview", preview_api.VersionPreview.as_view(), name="template_preview"),
    path("templates/<slug:code>/versions/<int:number>/lint", preview_api.VersionLint.as_view()),
    path("templates/<slug:code>/lint", preview_api.VersionLint.as_view(), name="template_lint"),
]
