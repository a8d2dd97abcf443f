"""What the acts on templates raise, as the API's problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from templates_app.inspection import InvalidTemplateError
from templates_app.models import PublishedVersionError
from templates_app.releasing import ReleaseError
from templates_app.schemas import InvalidSchemaError
from tenants.problems import FieldError, Problem, invalid


@contextmanager
def refusals() -> Iterator[None]:
    """422 for words, schemas and sample data that are not sound, 409 for what the present state forbids."""
    try:
        yield
    except InvalidTemplateError as error:
        found = [FieldError(one.pointer, one.code, str(one)) for one in error.errors]
        raise _unsound("template_invalid", found) from None
    except InvalidSchemaError as error:
        raise _unsound("schema_invalid", error.errors) from None
    except PublishedVersionError as error:
        raise Problem(409, "version_published", str(error.message)) from None
    except ReleaseError as error:
        raise Problem(409, error.code, error.message) from None


def _unsound(code: str, errors: Sequence[FieldError]) -> Problem:
    return Problem(422, code, invalid(errors).text, errors=errors)
