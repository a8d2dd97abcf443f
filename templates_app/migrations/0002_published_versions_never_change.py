"""Published versions and their contents never change, whoever asks: notifications are pinned to them."""

from django.db import migrations

# `FOR SHARE` waits for a publication that is under way, and then sees it.
FORWARD = """
CREATE FUNCTION templates_app_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION templates_app_refuse_if_published() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    published timestamptz;
BEGIN
    FOR published IN
        SELECT published_at FROM templates_app_templateversion
        WHERE id = ANY (CASE TG_OP
            WHEN 'INSERT' THEN ARRAY[NEW.version_id]
            WHEN 'DELETE' THEN ARRAY[OLD.version_id]
            ELSE ARRAY[OLD.version_id, NEW.version_id] END)
        FOR SHARE
    LOOP
        IF published IS NOT NULL THEN
            RAISE EXCEPTION 'a published template version cannot be changed' USING ERRCODE = 'check_violation';
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER templates_app_version_immutable
    BEFORE UPDATE OR DELETE ON templates_app_templateversion
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL)
    EXECUTE FUNCTION templates_app_refuse();

CREATE TRIGGER templates_app_content_immutable
    BEFORE INSERT OR UPDATE OR DELETE ON templates_app_templatecontent
    FOR EACH ROW EXECUTE FUNCTION templates_app_refuse_if_published();
"""

REVERSE = """
DROP TRIGGER templates_app_content_immutable ON templates_app_templatecontent;
DROP TRIGGER templates_app_version_immutable ON templates_app_templateversion;
DROP FUNCTION templates_app_refuse_if_published();
DROP FUNCTION templates_app_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("templates_app", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
