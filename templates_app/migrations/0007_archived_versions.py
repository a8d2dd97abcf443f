"""Of a published version `archived_at` may change, and nothing else: it says whether it is offered, not what it says."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION templates_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM tenants_tenant WHERE id = OLD.tenant_id) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) - 'archived_at' = to_jsonb(OLD) - 'archived_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
END $$;
"""

REVERSE = """
CREATE OR REPLACE FUNCTION templates_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM tenants_tenant WHERE id = OLD.tenant_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("templates_app", "0006_release_history")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
