"""API keys of tenants, kept as hashes in one file that a running server rereads; it guards no route."""

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
from hubbub.units import now_us

KEYS_FILE = "keys.json"
PREFIX = "hub_"
_SECRET_BYTES = 32
_MAX_TENANT_CHARS = 64

Scope: TypeAlias = Literal["ask", "search", "embed", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


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


class KeyRing:
    """The keys of one data directory, as they are in the file at this moment."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / KEYS_FILE
        self._stamp: tuple[int, ...] | None = None
        self._keys: list[Key] = []
        self._valid: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Return every key that was ever made, oldest first.

        Raises:
            Corruption: the file is damaged.
            StorageError: it cannot be read.
        """
        self._reread()
        return list(self._keys)

    def find(self, secret: str) -> Key | None:
        """Return the key whose secret this is, unless it is revoked; raises as `all` does."""
        self._reread()
        return self._valid.get(_digest(secret))

    @property
    def is_empty(self) -> bool:
        """Tell whether no key was ever made, so that nobody can be expected to have one."""
        self._reread()
        return not self._keys

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
            self._write([*self._keys, key])
        return key, secret

    def revoke(self, key_id: str) -> Key:
        """Revoke a key; a running server refuses it from its next request on.

        Raises:
            InvalidInput: there is no such key.
        """
        with self._changing():
            for key in self._keys:
                if key.id == key_id:
                    gone = msgspec.structs.replace(key, revoked_us=key.revoked_us or now_us())
                    self._write([gone if one is key else one for one in self._keys])
                    return gone
        raise InvalidInput(f"there is no key {key_id[:80]!r}; `hubbub keys list` shows them")

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

    def _write(self, keys: list[Key]) -> None:
        fresh = self._path.with_suffix(".tmp")
        with open(fresh, "wb", opener=_only_mine) as file:
            file.write(msgspec.json.format(msgspec.json.encode(keys)))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)

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
            self._keys = self._read() if stamp else []
            self._valid = {key.digest: key for key in self._keys if key.revoked_us is None}
            self._stamp = stamp

    def _read(self) -> list[Key]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=list[Key])
        except OSError as error:
            raise StorageError(f"keys {str(self._path)!r}: {error}") from error
        except msgspec.DecodeError as error:
            raise Corruption(
                f"keys {str(self._path)!r}: {error}; restore the file, or remove it and make new keys"
            ) from None


def _only_mine(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
