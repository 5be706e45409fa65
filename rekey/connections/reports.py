"""Keeps the report of the last audit, as JSON and as two tables for spreadsheets, and what is read until it is made."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from rekey.blobs import delete, names_under, read_json, translated, write_json
from rekey.connections.report import Report, Row, Said
from rekey.connections.turn import READ, Seen, blob
from rekey.model.connections import ProjectName
from rekey.spreadsheet import rows

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

REPORT = "connections/report.json"
CONNECTIONS, FINDINGS = "connections/connections.csv", "connections/findings.csv"


class Reports:
    """The blobs of audits in the container names.CONTAINER; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient") -> None:
        self._container = container

    async def last(self) -> Report | None:
        """Return the last report, None before the first."""
        return await read_json(self._container, REPORT, Report, "connections")

    async def keep(self, report: Report) -> None:
        """Keep a report in place of the last one; the tables first, so that a repeated step writes them again."""
        for name, body in ((CONNECTIONS, table(Row, report.rows)), (FINDINGS, table(Said, report.findings))):
            with translated("connections"):
                await self._container.get_blob_client(name).upload_blob(body, overwrite=True)
        await write_json(self._container, REPORT, report, "connections")

    async def read(self, run_id: str, projects: Iterable[ProjectName]) -> dict[ProjectName, Seen]:
        """Return what a run read of each project of which it read anything."""
        found = {}
        for project in projects:
            seen = await read_json(self._container, blob(run_id, project), Seen, "connections")
            if seen is not None:
                found[project] = seen
        return found

    async def forget_others(self, run_id: str) -> None:
        """Remove what other runs read: it is in a report, or is read again."""
        for name in await names_under(self._container, READ, "connections"):
            if not name.startswith(f"{READ}{run_id}/"):
                with translated("connections"):
                    await delete(self._container, name)


def table(kind: type[Row] | type[Said], found: Iterable[Row | Said]) -> bytes:
    """Return rows or findings as comma-separated values."""
    columns = [field.name for field in msgspec.structs.fields(kind) if field.name not in {"key", "about", "keyless"}]
    lines = rows(columns, ([getattr(one, column) for column in columns] for one in found))
    return "".join(f"{line}\r\n" for line in lines).encode()
