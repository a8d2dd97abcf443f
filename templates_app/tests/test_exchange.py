"""Templates as files: out, in, and what differs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from templates_app.bodies import NewTemplate
from templates_app.diffing import Wording
from templates_app.drafts import Draft
from templates_app.folder_reading import load
from templates_app.folders import Described, FilesError, files, save
from templates_app.models import Template, TemplateRelease, TemplateVersion
from templates_app.publishing import publish, save_draft
from templates_app.seeds import furnish, seed_templates
from templates_app.tests.factories import create_published, create_template, create_version
from tenants.models import Tenant
from tenants.tests.factories import create_tenant

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
MAIL = {"subject": "Hi {{ name }}", "body": "Hi\n\n{{ name }}\n", "html": "# Hi {{ name }}"}
APPROVED = '{"template": {"name": "hi", "parameters": [{{ name }}]}}'
CHANNELS = ["sms", [{"channel": "push", "if": "offline"}, "email"]]
CONTENTS = (
    Draft("email", "en", MAIL, "markdown", "none"),
    Draft("email", "pt-BR", {"subject": "Oi: {{ name }} #1", "html": "<p>Olá, {{ name }}</p>\r\n"}),
    Draft("whatsapp", "en", {"body": "Hi", "overrides": APPROVED}),
)


def a_template(tenant: Tenant) -> TemplateVersion:
    template = create_template(
        tenant,
        "hello",
        category="alert",
        type="otp",
        channels=CHANNELS,
        description="Hello\nyou",
    )
    return publish(save_draft(template, CONTENTS, {"name": "Ann"}, schema=SCHEMA))


def run(deed: str, tenant: Tenant, root: Path, *options: str) -> str:
    out = StringIO()
    call_command("templates", deed, str(root), "--tenant", tenant.slug, *options, stdout=out, no_color=True)
    return out.getvalue()


def refused(deed: str, tenant: Tenant, root: Path, *options: str) -> list[str]:
    err = StringIO()
    with pytest.raises(CommandError):
        call_command(
            "templates", deed, str(root), "--tenant", tenant.slug, *options, stderr=err, no_color=True
        )
    return err.getvalue().splitlines()


def everything(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_it_works(tmp_path: Path) -> None:
    """Out of one tenant, into another, and out again: the same files."""
    ours, theirs = create_tenant(), create_tenant()
    a_template(ours)
    create_version(ours, template=create_template(ours, "draft-only"))
    create_template(ours, "empty")

    assert run("export", ours, tmp_path / "a").splitlines() == [
        *("changed  draft-only", "changed  empty", "changed  hello")
    ]
    assert set(everything(tmp_path / "a")) == {
        *(
            "empty/template.yaml",
            "draft-only/template.yaml",
            "draft-only/sms.en.yaml",
            "draft-only/sample.json",
        ),
        *("hello/template.yaml", "hello/schema.json", "hello/sample.json", "hello/whatsapp.en.yaml"),
        *("hello/email.en.yaml", "hello/email.en.md", "hello/email.pt-BR.yaml", "hello/email.pt-BR.html"),
    }
    told = run("import", theirs, tmp_path / "a", "--publish").splitlines()
    assert told == [
        "created  draft-only (version 1, published)",
        "created  empty",
        "created  hello (version 1, published)",
    ]
    run("export", theirs, tmp_path / "b")
    assert everything(tmp_path / "a") == everything(tmp_path / "b")
    copy = Template.objects.get(tenant=theirs, code="hello")
    assert (copy.category, copy.type, copy.channels) == ("alert", "otp", CHANNELS)
    assert TemplateRelease.objects.filter(tenant=theirs).values_list("by", flat=True)[0] == "templates import"


def test_the_seeds_go_out_and_in(tmp_path: Path) -> None:
    ours, theirs = create_tenant(), create_tenant()
    created, _ = seed_templates(ours)
    furnish(theirs)  # a template names its layout; where it goes, there is to be one of that name
    run("export", ours, tmp_path)
    assert run("import", theirs, tmp_path, "--publish").count("published") == len(created)
    assert run("diff", theirs, tmp_path) == "They are the same.\n"


def test_nothing_changes_where_nothing_did(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    assert run("export", tenant, tmp_path) == "left     hello\n"
    for options in ((), ("--publish",)):
        assert run("import", tenant, tmp_path, *options) == "left     hello\n"
    assert (TemplateVersion.objects.count(), TemplateRelease.objects.count()) == (1, 1)


def test_a_change_is_a_draft_until_it_is_published(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "email.en.md").write_text("# Hello {{ name }}")

    assert run("import", tenant, tmp_path, "--dry-run").startswith("changed  hello (version 2)\n")
    assert TemplateVersion.objects.count() == 1
    assert run("import", tenant, tmp_path) == "changed  hello (version 2)\n"
    assert run("import", tenant, tmp_path) == "left     hello\n"
    assert run("import", tenant, tmp_path, "--publish", "--dry-run").count("version 2, published") == 1
    assert Template.objects.get().published.number == 1  # type: ignore[union-attr]
    assert run("import", tenant, tmp_path, "--publish") == "changed  hello (version 2, published)\n"
    assert run("import", tenant, tmp_path, "--publish") == "left     hello\n"


def test_what_is_no_version_changes_at_once(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    about = tmp_path / "hello" / "template.yaml"
    about.write_text(about.read_text().replace("category: alert", "category: system"))
    assert run("import", tenant, tmp_path) == "changed  hello\n"
    assert (Template.objects.get().category, TemplateVersion.objects.count()) == ("system", 1)


def test_after_a_rollback_what_is_sent_is_what_counts(tmp_path: Path) -> None:
    tenant = create_tenant()
    first = a_template(tenant)
    second = create_published(tenant, template=first.template)
    publish(first)
    run("export", tenant, tmp_path)
    assert run("import", tenant, tmp_path, "--publish") == "left     hello\n"
    run("export", tenant, tmp_path, "--newest")
    assert (tmp_path / "hello" / "sms.en.yaml").exists()
    assert not (tmp_path / "hello" / "schema.json").exists()
    assert run("import", tenant, tmp_path, "--publish") == "changed  hello (version 2, published)\n"
    assert TemplateVersion.objects.latest("pk") == second


def test_it_shows_what_differs_and_fails(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    create_template(tenant, "other")
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "email.en.md").write_text("# Hello {{ name }}")
    (tmp_path / "other").rename(tmp_path / "another")
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("templates", "diff", str(tmp_path), "--tenant", tenant.slug, stdout=out, no_color=True)
    assert caught.value.returncode == 1
    assert out.getvalue().splitlines() == [
        "another: there is no template",
        "hello: email en html",
        "- # Hi {{ name }}",
        "+ # Hello {{ name }}",
        "other: there is no folder",
    ]
    assert run("diff", create_tenant(), tmp_path.parent / tmp_path.name / "hello") == "They are the same.\n"


def test_only_what_is_named(tmp_path: Path) -> None:
    tenant, other = create_tenant(), create_tenant()
    a_template(tenant)
    create_published(tenant)
    assert run("export", tenant, tmp_path, "--only", "hello") == "changed  hello\n"
    run("export", tenant, tmp_path)
    (tmp_path / "greeting" / "sms.en.yaml").write_text("body: {")
    assert run("import", other, tmp_path, "--only", "hello") == "created  hello (version 1)\n"
    assert run("diff", tenant, tmp_path, "--only", "hello") == "They are the same.\n"
    assert refused("import", other, tmp_path, "--only", "nope") == [
        "nope/template.yaml: There is no such file."
    ]


WRONG: dict[str, tuple[str | bytes, list[str]]] = {
    "template.yaml": (
        "name: 1\ncolour: red",
        ["name: Input should be a valid string", "colour: Extra inputs"],
    ),
    "sms.en.yaml": ("body: {\n", [":2: This is no YAML: expected the node content"]),
    "sms.de.yaml": ("text: Hi", ["text: Extra inputs are not permitted"]),
    "push.de.yaml": ("title: ''", ["A message by push needs title or body."]),
    "push.en.yaml": ("- title", ["This is no YAML mapping of names to values."]),
    "email.en.html": ("<p>", ["There is no email.en.yaml with its other parts."]),
    "email.de.yaml": ("subject: a\nbody: b\nlocale: de", ["locale is said by files' names."]),
    "slack.en.yaml": (b"body: \xff", ["This is no UTF-8."]),
    "discord.en.yaml": ("body: '{{ name'", ["body: "]),
    "schema.json": ('{"properties": {"name": {"format": "moon"}}}', ["/properties/name/format: The formats"]),
    "sample.json": ('{"name":\n}', [":2: This is no JSON: Expecting value."]),
    "notes.txt": ("x", ["This is no file of a template."]),
    "fax.en.yaml": ("body: x", ["This is no file of a template."]),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_says_which_file_is_wrong(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "hello"
    folder.mkdir()
    said: dict[str, Any] = {"template.yaml": "name: Hello", "whatsapp.en.yaml": "body: Hi {{ name }}"}
    text, expected = WRONG[name]
    for path, content in {**said, "sample.json": '{"name": "Ann"}', name: text}.items():
        (folder / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    told = refused("import", create_tenant(), tmp_path)
    assert all(line.startswith(f"hello/{name}") for line in told), told
    for message in expected:
        assert any(message in line for line in told), told
    assert not Template.objects.exists()


def test_it_tells_all_errors_and_writes_nothing(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "email.en.md").write_text("a\n{{ b")
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "template.yaml").write_text("name: Good")
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "template.yaml").write_text("name: Bad")
    (bad / "sms.en.yaml").write_text("body: '{{ name|nope }}'")
    told = refused("import", tenant, tmp_path)
    assert [line.partition(": ")[0] for line in told] == ["bad/sms.en.yaml:1", "hello/email.en.md:2"]
    assert Template.objects.count() == 1


def test_a_draft_may_lack_sample_data_and_what_is_published_may_not(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "sample.json").write_text("{}")
    told = refused("import", tenant, tmp_path, "--publish")
    assert "hello/sample.json: /name: 'name' is missing." in told
    assert any(line.startswith("hello/email.en.yaml:1: subject: ") for line in told)
    assert run("import", tenant, tmp_path) == "changed  hello (version 2)\n"


def test_one_html_part_is_written_once(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "email.en.html").write_text("<p>")
    assert refused("import", tenant, tmp_path) == ["hello/email.en.md: There is email.en.html already."]


def test_what_is_gone_has_no_file_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    tenant = create_tenant()
    version = a_template(tenant)
    run("export", tenant, tmp_path)
    (tmp_path / "hello" / "README.md").write_text("Ours")
    create_published(tenant, template=version.template)
    run("export", tenant, tmp_path)
    names = {path.name for path in (tmp_path / "hello").iterdir()}
    assert names == {"template.yaml", "sms.en.yaml", "sample.json", "README.md"}
    assert run("import", tenant, tmp_path) == "left     hello\n"


def test_a_layout_that_is_not_there_is_named(tmp_path: Path) -> None:
    tenant = create_tenant()
    a_template(tenant)
    run("export", tenant, tmp_path)
    words = tmp_path / "hello" / "email.en.yaml"
    words.write_text(words.read_text().replace("layout: none", "layout: nowhere"))
    (told,) = refused("import", tenant, tmp_path)
    assert told.startswith("hello/email.en")
    assert "nowhere" in told


def test_it_asks_for_a_tenant_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no tenant"):
        call_command("templates", "export", str(tmp_path), "--tenant", "nobody")
    with pytest.raises(CommandError, match="There is no folder"):
        run("import", create_tenant(), tmp_path / "nowhere")


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(max_examples=60, deadline=None)
@given(subject=texts, body=texts, html=texts, name=texts.filter(lambda text: bool(text.strip())))
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, subject: str, body: str, html: str, name: str
) -> None:
    root = tmp_path_factory.mktemp("any")
    drafts = [Draft("email", "en", {"subject": subject, "body": body, "html": html}, "mjml", "x")]
    about = NewTemplate(code="any", name=name[:200].strip(), description=body[:2_000])
    template = Described(about, Wording(drafts, {"required": [subject]}, {name: [body, 1, 1.5, None]}))
    save(template, root)
    try:
        found = load(root / "any")
    except FilesError as error:
        raise AssertionError(error) from error
    assert found == template
    assert files(found) == files(template)
