"""The file an engine's state is kept in: where it is, who may open it, what its tables are, how it is written.

Each transaction is whole or not there, wherever the host is killed. One host owns a file for as long as it runs.
"""

import hashlib
import re
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

type Statement = tuple[str, Sequence[Any]]

DATA = "LOCAL_HOST_DATA"
"""The setting that names the file's folder."""
SCHEMA = 1
_APPLICATION = 0x52454B59
_ACCOUNT = re.compile(r"AzureWebJobsStorage(__(accountName|\w*serviceUri))?", re.IGNORECASE)
_KEYS = {"accountkey", "sharedaccesssignature"}
# A host that is started again may meet the last moments of the one before it.
_PATIENCE = 10.0
_POLL = 0.1
_TABLES = """
CREATE TABLE instances (
    id TEXT PRIMARY KEY, run INTEGER, name TEXT, version TEXT, status INTEGER, input TEXT, output TEXT,
    custom_status TEXT, failure BLOB, tags TEXT, created TEXT, updated TEXT, completed TEXT,
    parent TEXT, parent_task INTEGER, parent_run INTEGER
) WITHOUT ROWID;
CREATE TABLE history (instance TEXT, position INTEGER, event BLOB, PRIMARY KEY (instance, position)) WITHOUT ROWID;
CREATE TABLE waiting (number INTEGER PRIMARY KEY, instance TEXT, event BLOB);
CREATE INDEX waiting_for ON waiting (instance);
CREATE TABLE activities (
    token INTEGER PRIMARY KEY, instance TEXT, run INTEGER, name TEXT, task INTEGER, input TEXT, version TEXT
);
CREATE INDEX activities_of ON activities (instance);
CREATE TABLE alarms (number INTEGER PRIMARY KEY, instance TEXT, run INTEGER, due TEXT, task INTEGER);
CREATE INDEX alarms_of ON alarms (instance);
"""


class StoreError(Exception):
    """The file can't be used or written; the message names it and says what to do."""


def state_file(folder: Path, hub: str, environment: Mapping[str, str]) -> Path:
    """Return the file in `folder` for a task hub in the storage account that the settings name, whatever its keys."""
    settings = {name.lower(): value for name, value in environment.items() if _ACCOUNT.fullmatch(name)}
    account = "\n".join(f"{name}={_without_keys(value)}" for name, value in sorted(settings.items()))
    return folder / f"{re.sub(r'\W', '-', hub)}-{hashlib.sha256(account.encode()).hexdigest()[:10]}.sqlite"


def _without_keys(connection: str) -> str:
    parts = [part for part in connection.split(";") if part.partition("=")[0].strip().lower() not in _KEYS]
    return ";".join(sorted(filter(None, parts)))


class Store:
    """An open file, made if it is missing. Not thread-safe: the engine's lock guards it."""

    def __init__(self, path: Path) -> None:
        """Open `path`, waiting some seconds for another host to let it go; StoreError if that can't be."""
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(f"can't be used ({error})") from error
        try:
            self._own()
            self._prepare()
        except sqlite3.Error as error:
            self.close()
            raise self._unusable(f"can't be used ({error})") from error
        except StoreError:
            self.close()
            raise

    def _own(self) -> None:
        """Lock the file until the process ends, however it ends; nothing is written before it proved to be ours."""
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                self._connection.executescript("BEGIN EXCLUSIVE; COMMIT")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    problem = "another host runs with it: stop that one, or give this one a folder of its own by"
                    raise StoreError(f"{self.path}: {problem} {DATA}") from None
                time.sleep(_POLL)
            else:
                return

    def _prepare(self) -> None:
        made_by, schema = self._number("application_id"), self._number("user_version")
        empty = not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        if (made_by, schema) != (_APPLICATION, SCHEMA) and not (empty and (made_by, schema) == (0, 0)):
            ours = made_by == _APPLICATION
            problem = f"was written by another version of this host (schema {schema}, this one has {SCHEMA})"
            raise self._unusable(problem if ours else "is another program's database")
        self._connection.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing by that: what it wrote is the system's. A power cut may take the last moments,
        # as it does with Azurite's files beside it, and leaves an earlier state that is whole.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        if empty:
            marks = f"PRAGMA application_id = {_APPLICATION}; PRAGMA user_version = {SCHEMA}"
            self._connection.executescript(f"BEGIN; {_TABLES} {marks}; COMMIT")

    def write(self, statements: Iterable[Statement]) -> None:
        """Carry out all of them in one transaction, or none; StoreError if it can't be."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for sql, values in statements:
                self._connection.execute(sql, values)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} can't be written: {error}") from error

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds; StoreError if the file is damaged."""
        try:
            return self._connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(f"can't be read ({error})") from error

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()

    def _number(self, pragma: str) -> int:
        number: int = self._connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        return number

    def _unusable(self, problem: str) -> StoreError:
        wayout = f"nothing was changed in it: move it away to begin with no instances, or set {DATA} to another folder"
        return StoreError(f"{self.path} {problem}; {wayout}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
