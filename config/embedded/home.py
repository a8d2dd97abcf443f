"""Where a stack keeps its data, its secrets and its addresses: `CARILLON_HOME`, or `.carillon/`."""

import base64
import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from config.embedded.errors import StartError

DEFAULT = Path(__file__).resolve().parent.parent.parent / ".carillon"
SERVICES = "services.env"
SECRETS = "secrets.env"


def directory() -> Path:
    return Path(os.environ.get("CARILLON_HOME") or DEFAULT).resolve()


@contextlib.contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold `home` for this process; the kernel lets go of it when the process ends, however it ends."""
    lock = _open_lock(home)
    try:
        _take(lock, home)
        yield
    finally:
        os.close(lock)


def _open_lock(home: Path) -> int:
    try:
        home.mkdir(parents=True, exist_ok=True)
        return os.open(home / "owner.pid", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message = f"cannot write to {home} ({error.strerror}): set CARILLON_HOME to a directory of yours"
        raise StartError(message) from None


def _take(lock: int, home: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(lock, 20).decode().strip()
        message = f"Carillon already runs from {home} (process {holder})"
        raise StartError(f"{message}: stop it, or set CARILLON_HOME to another directory") from None
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())


@contextlib.contextmanager
def published(home: Path, addresses: Mapping[str, str]) -> Iterator[None]:
    """Leave the addresses of the running engines for commands in other terminals."""
    path = home / SERVICES
    _write_private(path, addresses)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def given(name: str, home: Path) -> str | None:
    """The address somebody chose, in the environment or `.env`, not one that an earlier stack left behind."""
    value = os.environ.get(name)
    return None if value == _read(home / SERVICES).get(name) else value


def ensure_secrets(home: Path) -> dict[str, str]:
    """SECRET_KEY and the rings of keys: from the environment, else made once and kept in `secrets.env`."""
    path = home / SECRETS
    kept = _read(path)
    if missing := new_secrets().keys() - kept.keys():
        kept |= {name: value for name, value in new_secrets().items() if name in missing}
        _write_private(path, kept)
    return {name: os.environ.get(name) or value for name, value in kept.items()}


def new_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(48),
        "CREDENTIAL_KEYS": _new_ring(),
        "SUPPRESSION_KEYS": _new_ring(),
    }


def _new_ring() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def _write_private(path: Path, values: Mapping[str, str]) -> None:
    """Write beside and rename, so that nobody reads half a file, with mode 0600 from the start."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    draft.replace(path)
