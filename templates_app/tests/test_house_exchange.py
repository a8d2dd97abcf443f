"""Layouts, partials and the brand as files: out, in, and what differs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from templates_app.drafts import Draft
from templates_app.house_style import Brand, Layout, Partial
from templates_app.models import Template, TemplateContent
from templates_app.publishing import publish, save_draft
from templates_app.tests.factories import create_template
from templates_app.tests.test_exchange import everything, refused, run
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

MAIL = Draft("email", "en", {"subject": "Hi", "body": "Hi", "html": "<p>Hi</p>"})
FILES = {
    "_brand.yaml",
    *("_layouts/plain.yaml", "_layouts/plain.html", "_layouts/standard.yaml", "_layouts/standard.mjml"),
    *("_partials/foot.yaml", "_partials/foot.jinja"),
    *("hello/template.yaml", "hello/email.en.yaml", "hello/email.en.html"),
}
MJML = "<mjml><mj-body>{{ content }}</mj-body></mjml>\n"
HTML = "<html>\r\n<body>{{ content }}{% include 'foot' %}</body></html>"


@pytest.fixture
def shop() -> Tenant:
    """Its mail stands in its default layout, above its footer."""
    tenant = create_tenant(name="Shop")
    Partial.objects.create(tenant=tenant, code="foot", name="Fußzeile", source="{{ brand.name }}")
    Layout.objects.create(tenant=tenant, code="plain", name="Plain", source=HTML, is_default=True)
    Layout.objects.create(tenant=tenant, code="standard", name="Standard", format="mjml", source=MJML)
    Brand.objects.create(tenant=tenant, postal_address="1 Main Street\nSpringfield", primary_color="#aa0000")
    publish(save_draft(create_template(tenant, "hello"), [MAIL], {}))
    return tenant


def html_of(tenant: Tenant) -> str:
    template = Template.objects.get(tenant=tenant, code="hello")
    content = TemplateContent.objects.get(version=template.published_id, channel="email")
    return str(content.compiled["html"])


def differing(tenant: Tenant, root: Path) -> list[str]:
    out = StringIO()
    with pytest.raises(CommandError, match="They differ"):
        call_command("templates", "diff", str(root), "--tenant", tenant.slug, stdout=out, no_color=True)
    return out.getvalue().splitlines()


def test_it_works(shop: Tenant, tmp_path: Path) -> None:
    """Out of one tenant, into an empty one, and out again: the same files."""
    assert run("export", shop, tmp_path / "a").splitlines()[:4] == [
        *("changed  _layouts/plain", "changed  _layouts/standard", "changed  _partials/foot"),
        "changed  _brand",
    ]
    assert everything(tmp_path / "a").keys() == FILES
    assert set(run("export", shop, tmp_path / "a").split()[::2]) == {"left"}
    other = create_tenant(name="Other")
    assert run("import", other, tmp_path / "a", "--publish", "--dry-run").count("created") == 5
    assert not Layout.objects.filter(tenant=other).exists()
    assert run("import", other, tmp_path / "a", "--publish").count("created") == 5
    run("export", other, tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    assert run("diff", other, tmp_path / "a") == "They are the same.\n"
    assert set(run("import", other, tmp_path / "a", "--publish").split()[::2]) == {"left"}
    assert "Other" in html_of(other)  # whose name it is, unless the brand says one


def test_what_changes_is_shown_taken_in_and_published_anew(shop: Tenant, tmp_path: Path) -> None:
    run("export", shop, tmp_path)
    (tmp_path / "_partials" / "foot.jinja").write_text("Yours, {{ brand.name }}")
    (tmp_path / "_layouts" / "standard.yaml").unlink()
    (tmp_path / "_layouts" / "standard.mjml").unlink()
    (tmp_path / "_layouts" / "new.yaml").write_text("name: New\ndefault: false\n")
    (tmp_path / "_layouts" / "new.html").write_text("{{ content }}")
    assert differing(shop, tmp_path) == [
        "_layouts/new: there is no layout",
        "_layouts/standard: there is no file",
        *("_partials/foot: foot.jinja", "- {{ brand.name }}", "+ Yours, {{ brand.name }}"),
    ]
    told = run("import", shop, tmp_path)
    assert told.splitlines() == [
        *("created  _layouts/new", "left     _layouts/plain", "changed  _partials/foot", "left     _brand"),
        "left     hello",
    ]
    assert "Yours, " not in html_of(shop)
    assert Layout.objects.filter(tenant=shop, code="standard").exists()
    (tmp_path / "_partials" / "foot.jinja").write_text("Truly yours, {{ brand.name }}")
    assert "changed  hello (version 2, published)" in run("import", shop, tmp_path, "--publish")
    assert "Truly yours, " in html_of(shop)


def test_another_default_takes_its_place(shop: Tenant, tmp_path: Path) -> None:
    run("export", shop, tmp_path)
    (tmp_path / "_layouts" / "plain.yaml").write_text("name: Plain\n")
    (tmp_path / "_layouts" / "standard.yaml").write_text("name: Standard\ndefault: true\n")
    run("import", shop, tmp_path)
    assert Layout.objects.get(tenant=shop, is_default=True).code == "standard"


def test_templates_alone_leave_them(shop: Tenant, tmp_path: Path) -> None:
    assert run("export", shop, tmp_path, "--only", "hello") == "changed  hello\n"
    assert everything(tmp_path).keys() == {name for name in FILES if name.startswith("hello/")}
    assert run("diff", shop, tmp_path, "--only", "hello") == "They are the same.\n"


WRONG = {
    "_layouts/template.yaml": ("name: It is no template", "Its source is one file, template.html or .mjml."),
    "_layouts/bare.html": ("{{ content }}", "There is no bare.yaml with its name."),
    "_layouts/standard.html": ("{{ content }}", "_layouts/standard.yaml: Its source is one file"),
    "_layouts/standard.yaml": ("name: S\ndefault: true", "default: It is plain already."),
    "_layouts/plain.yaml": ("name: Plain\nformat: mjml", "format: It is said elsewhere"),
    "_layouts/plain.html": ("<p>\n</p>", "It has no {{ content }}"),
    "_layouts/logo.png": ("x", "This is no file of _layouts."),
    "_partials/foot.yaml": ("names: x", "name: Field required"),
    "_partials/foot.jinja": ("a\n{{ b", "_partials/foot.jinja:2: "),
    "_brand.yaml": ("primary_color: red", "_brand.yaml: primary_color: String should match"),
}


@pytest.mark.parametrize("path", WRONG)
def test_it_says_which_file_is_wrong(shop: Tenant, tmp_path: Path, path: str) -> None:
    run("export", shop, tmp_path)
    text, message = WRONG[path]
    (tmp_path / path).write_text(text)
    other = create_tenant()
    told = refused("import", other, tmp_path, "--publish")
    assert any(message in line for line in told), told
    assert not Layout.objects.filter(tenant=other).exists()


def test_what_cannot_be_published_anew_keeps_all_as_it_was(shop: Tenant, tmp_path: Path) -> None:
    run("export", shop, tmp_path, "--only", "hello")
    for path, text in {
        "_layouts/plain.yaml": "name: Plain\ndefault: true",
        "_layouts/plain.html": "{{ content }}{{ who }}",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "hello").rename(tmp_path.parent / f"{tmp_path.name}-hello")
    told = refused("import", shop, tmp_path, "--publish")
    assert told[0].startswith("_layouts/plain: hello: ")
    assert Layout.objects.get(tenant=shop, code="plain").source == HTML
