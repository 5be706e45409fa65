"""Says what a lock brings with it, as a CycloneDX document that is the same whenever it is written."""

import re
import uuid
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

_PINNED = re.compile(r"^([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)", re.MULTILINE)


def pinned(lock: Path) -> list[tuple[str, str]]:
    """Return name and version of every package in a lock, in its order."""
    return _PINNED.findall(lock.read_text())


def bill_of_materials(lock: Path, name: str, version: str) -> str:
    """Return the JSON of what `name` contains by its lock: no time and no random number in it."""
    packages = [_library(*package) for package in pinned(lock)]
    bill = Bom(components=packages, serial_number=uuid.uuid5(uuid.NAMESPACE_URL, lock.read_text()))
    bill.metadata.timestamp = None  # type: ignore[assignment] # left out: its setter takes it, its annotation doesn't
    bill.metadata.component = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    bill.register_dependency(bill.metadata.component, packages)
    return JsonV1Dot6(bill).output_as_string(indent=2) + "\n"


def _library(name: str, version: str) -> Component:
    url = PackageURL("pypi", None, name, version)
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url))
