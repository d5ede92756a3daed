"""Tenants and their API keys (as hashes) in one file that a running server rereads; it guards no route."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec

from hubbub.errors import Corruption, InvalidInput, StorageError
from hubbub.server.rules import HouseRules
from hubbub.units import now_us

KEYS_FILE = "keys.json"
PREFIX = "hub_"
_SECRET_BYTES = 32
_MAX_TENANT_CHARS = 64

NOBODY = "-"
"""The tenant of who shows no key and needs none: the page, and programs of this machine before any key."""

Scope: TypeAlias = Literal["ask", "search", "embed", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
Stop: TypeAlias = Literal["answers", "all"]
"""What is switched off: what is written by the house, or everything."""
FIRST, USUAL, LAST = 1, 2, 9
"""Priorities; the page is first, a tenant of which nothing is said is usual."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key; whoever shows its secret acts for its tenant."""

    id: str
    """Names it where the secret may not be shown."""
    tenant: str
    digest: str
    """SHA-256 of the secret, which is random enough (256 bits) that no slower hash would add anything."""
    scopes: tuple[Scope, ...]
    per_minute: int
    """Requests that may be made with it a minute."""
    created_us: int
    revoked_us: int | None = None


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Who has keys, and what all of them together may use; None is no limit."""

    name: str
    priority: int = USUAL
    """Who is served first when the machine is full: 1 is first."""
    requests_per_minute: int | None = None
    streams: int | None = None
    """Open at once."""
    tokens_per_day: int | None = None
    """In and out, by days of UTC."""
    stopped: Stop | None = None
    rules: tuple[HouseRules, ...] = ()

    @property
    def house_rules(self) -> HouseRules | None:
        """The version in force; one that says nothing takes back those before it."""
        rules = self.rules[-1] if self.rules else None
        return None if rules is None or rules.says_nothing else rules


class _Book(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    keys: list[Key] = []
    tenants: list[Tenant] = []
    stopped: Stop | None = None


class KeyRing:
    """The tenants and keys of one data directory, as they are in the file at this moment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._path = directory / KEYS_FILE
        self._stamp: tuple[int, ...] | None = None
        self._book = _Book()
        self._valid: dict[str, Key] = {}
        self._tenants: dict[str, Tenant] = {}

    def all(self) -> list[Key]:
        """Return every key that was ever made, oldest first.

        Raises:
            Corruption: the file is damaged.
            StorageError: it cannot be read.
        """
        self._reread()
        return list(self._book.keys)

    @property
    def stamp(self) -> tuple[int, ...] | None:
        """What is another whenever the file is; raises as `all` does."""
        self._reread()
        return self._stamp

    @property
    def stopped(self) -> Stop | None:
        """What is switched off for everybody."""
        self._reread()
        return self._book.stopped

    def tenants(self) -> list[Tenant]:
        """Return all tenants by name, the page among them; raises as `all` does."""
        self._reread()
        names = {NOBODY, *self._tenants, *(key.tenant for key in self._book.keys)}
        return [self.tenant(name) for name in sorted(names)]

    def tenant(self, name: str) -> Tenant:
        """Return what is set for a tenant, or what holds where nothing is; raises as `all` does."""
        self._reread()
        return self._tenants.get(name) or Tenant(name=name, priority=FIRST if name == NOBODY else USUAL)

    def find(self, secret: str) -> Key | None:
        """Return the key whose secret this is, unless it is revoked; raises as `all` does."""
        self._reread()
        return self._valid.get(_digest(secret))

    def is_valid(self, key_id: str) -> bool:
        """Tell whether a key of this id may be used; raises as `all` does."""
        self._reread()
        return any(key.id == key_id for key in self._valid.values())

    @property
    def is_empty(self) -> bool:
        """Tell whether no key was ever made, so that nobody can be expected to have one."""
        self._reread()
        return not self._book.keys

    def add(self, tenant: str, scopes: Sequence[Scope] = SCOPES, per_minute: int = 600) -> tuple[Key, str]:
        """Make a key; return it and its secret, which is kept nowhere.

        Raises:
            InvalidInput: the tenant's name is empty, too long or unprintable.
        """
        if not (tenant.strip() and len(tenant) <= _MAX_TENANT_CHARS and tenant.isprintable()):
            raise InvalidInput(
                f"tenant {tenant[:80]!r}: give a name of 1 to {_MAX_TENANT_CHARS} printable characters"
            )
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        key = Key(
            id=secrets.token_hex(4),
            tenant=tenant.strip(),
            digest=_digest(secret),
            scopes=tuple(scopes),
            per_minute=per_minute,
            created_us=now_us(),
        )
        with self._changing():
            self._write(keys=[*self._book.keys, key])
        return key, secret

    def revoke(self, key_id: str) -> Key:
        """Revoke a key; a running server refuses it from its next request on.

        Raises:
            InvalidInput: there is no such key.
        """
        with self._changing():
            for key in self._book.keys:
                if key.id == key_id:
                    gone = msgspec.structs.replace(key, revoked_us=key.revoked_us or now_us())
                    self._write(keys=[gone if one is key else one for one in self._book.keys])
                    return gone
        raise InvalidInput(f"there is no key {key_id[:80]!r}; `hubbub keys list` shows them")

    def change(self, name: str, rules: HouseRules | None = None, **changes: object) -> Tenant:
        """Change fields of a tenant, and add `rules` as its next version; a running server obeys at once.

        Raises:
            InvalidInput: nobody of that name has ever had a key.
        """
        with self._changing():
            found = next((tenant for tenant in self.tenants() if tenant.name == name), None)
            if found is None:
                raise InvalidInput(f"there is no tenant {name[:80]!r}; `hubbub tenants list` shows them")
            changed = msgspec.structs.replace(found, **changes)
            if rules:
                version = msgspec.structs.replace(rules, version=len(found.rules) + 1)
                changed = msgspec.structs.replace(changed, rules=(*found.rules, version))
            self._write(tenants=list((self._tenants | {name: changed}).values()))
        return changed

    def stop_all(self, stop: Stop | None) -> None:
        """Switch something off for everybody, or with None on again."""
        with self._changing():
            self._write(stopped=stop)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let nobody else change the file meanwhile."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with open(self._path.with_suffix(".lock"), "w", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._reread()
                yield
        except OSError as error:
            raise StorageError(f"keys {str(self._path)!r}: {error}; nothing was changed") from error

    def _write(self, **changes: object) -> None:
        book = msgspec.structs.replace(self._book, **changes)
        write_whole(self._path, msgspec.json.format(msgspec.json.encode(book)))

    def _reread(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            stamp: tuple[int, ...] = ()
        except OSError as error:
            raise StorageError(f"keys {str(self._path)!r}: {error}") from error
        else:
            stamp = found.st_mtime_ns, found.st_ino, found.st_size
        if stamp != self._stamp:
            self._book = self._read() if stamp else _Book()
            self._valid = {key.digest: key for key in self._book.keys if key.revoked_us is None}
            self._tenants = {tenant.name: tenant for tenant in self._book.tenants}
            self._stamp = stamp

    def _read(self) -> _Book:
        try:
            book = msgspec.json.decode(self._path.read_bytes(), type=_Book | list[Key])
            return _Book(keys=book) if isinstance(book, list) else book  # of the time before tenants
        except OSError as error:
            raise StorageError(f"keys {str(self._path)!r}: {error}") from error
        except msgspec.DecodeError as error:
            raise Corruption(
                f"keys {str(self._path)!r}: {error}; restore the file, or remove it and make new keys"
            ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file that only its owner may read by a new one, which survives power loss."""
    fresh = path.with_suffix(".tmp")
    with open(fresh, "wb", opener=_only_mine) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
