"""A published version may be deleted once its tenant is: in the transaction that deletes the tenant, that is.

Foreign keys are checked when a transaction ends, so the tenant's row can go first, then the versions; a content
whose version is gone was free to go before.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION templates_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM tenants_tenant WHERE id = OLD.tenant_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
END $$;
"""

REVERSE = """
CREATE OR REPLACE FUNCTION templates_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("templates_app", "0003_content_overrides")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
