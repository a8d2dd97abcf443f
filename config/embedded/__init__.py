"""PostgreSQL and Valkey without installing them: real servers out of wheels, that live as long as a stack.

They are used unless `DATABASE_URL` and `REDIS_URL` (each for itself) name servers that exist.
"""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from config.embedded import account as accounts
from config.embedded import home as homes
from config.embedded.errors import StartError
from config.embedded.postgres import Postgres
from config.embedded.valkey import Valkey

__all__ = ["Engines", "Postgres", "StartError", "Valkey", "engines", "throwaway_engines"]


@dataclasses.dataclass(frozen=True)
class Engines:
    """What is running. An engine is None when an address was given for it.

    `env` is what other processes of the stack need in their environment: DATABASE_URL, REDIS_URL, SECRET_KEY,
    CREDENTIAL_KEYS, SUPPRESSION_KEYS and CARILLON_HOME. `notes` are lines worth telling the person who
    started it.
    """

    env: dict[str, str]
    postgres: Postgres | None
    valkey: Valkey | None
    notes: list[str]


@contextlib.contextmanager
def engines(home: Path | None = None) -> Iterator[Engines]:
    """Durable engines with their data in `home`, which only one process may hold. Raises StartError."""
    home = home or homes.directory()
    with homes.owned(home), contextlib.ExitStack() as stack:
        database, redis = homes.given("DATABASE_URL", home), homes.given("REDIS_URL", home)
        ground = accounts.ground_for(home, accounts.borrowed())
        postgres = None if database else Postgres(_made(ground))
        valkey = None if redis else Valkey(home)
        _run(stack, postgres, valkey)
        addresses = _addresses(postgres, valkey)
        stack.enter_context(homes.published(home, addresses))
        given = {"DATABASE_URL": database or "", "REDIS_URL": redis or "", "CARILLON_HOME": str(home)}
        env = given | addresses | homes.ensure_secrets(home)
        yield Engines(env=env, postgres=postgres, valkey=valkey, notes=_notes(postgres, home))


@contextlib.contextmanager
def throwaway_engines(given: Mapping[str, str] = MappingProxyType({})) -> Iterator[Engines]:
    """Engines for one test run, in a directory that is removed with everything in it.

    Addresses in `given`, say `os.environ`, are used instead. Raises StartError.
    """
    ground = accounts.temporary_ground(accounts.borrowed())
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, ground, ignore_errors=True)
        postgres = None if given.get("DATABASE_URL") else Postgres(ground, throwaway=True)
        valkey = None if given.get("REDIS_URL") else Valkey(ground)
        _run(stack, postgres, valkey)
        kept = {name: given[name] for name in ("DATABASE_URL", "REDIS_URL") if given.get(name)}
        env = kept | _addresses(postgres, valkey) | homes.new_secrets() | {"CARILLON_HOME": str(ground)}
        yield Engines(env=env, postgres=postgres, valkey=valkey, notes=[])


def _run(stack: contextlib.ExitStack, *servers: Postgres | Valkey | None) -> None:
    for server in servers:
        if server is not None:
            stack.callback(server.stop)
            server.start()


def _addresses(postgres: Postgres | None, valkey: Valkey | None) -> dict[str, str]:
    urls = {"DATABASE_URL": postgres and postgres.url, "REDIS_URL": valkey and valkey.url}
    return {name: url for name, url in urls.items() if url}


def _notes(postgres: Postgres | None, home: Path) -> list[str]:
    if postgres is None or postgres.directory == home:
        return []
    return [f"PostgreSQL does not run as root, others may not enter {home}: data in {postgres.directory}"]


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
