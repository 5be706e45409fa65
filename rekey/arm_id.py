"""Knows what an Azure Resource Manager id looks like, and refuses whatever would lead a request elsewhere.

Source: https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules. Ids are the same
whatever their case, and the service itself changes it: compare them in lower case.
"""

import re

import msgspec

from rekey.errors import InputError
from rekey.settings import GUID

GROUP = re.compile(r"[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]")
"""A resource group's name in ASCII: other letters are allowed by Azure and never seen."""
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.()-]{0,126}[A-Za-z0-9_()-])?")
"""What any of the resources that Rekey knows may be called."""


class ArmId(msgspec.Struct, frozen=True):
    """A resource in a resource group; `type` is namespace and type, such as `Microsoft.Storage/storageAccounts`."""

    subscription: str
    group: str
    type: str
    name: str

    def __str__(self) -> str:
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{self.type}/{self.name}"

    @classmethod
    def of(cls, text: str, type_: str, name: re.Pattern[str] = NAME) -> "ArmId":
        """Return the id that `text` is, of a resource of that type; InputError for anything else."""
        expected = f"/subscriptions/<id>/resourceGroups/<group>/providers/{type_}/<name>"
        parts = text.split("/")
        if len(parts) != 9 or [p.lower() for p in parts[:2]] != ["", "subscriptions"]:
            raise InputError("ARM id", text, expected)
        if [p.lower() for p in (parts[3], parts[5])] != ["resourcegroups", "providers"]:
            raise InputError("ARM id", text, expected)
        if f"{parts[6]}/{parts[7]}".lower() != type_.lower():
            raise InputError("ARM id", text, expected)
        return cls.made(text, parts[2], parts[4], type_, parts[8], name)

    @classmethod
    def made(  # the parts of an id
        cls, text: str, subscription: str, group: str, type_: str, name: str, pattern: re.Pattern[str] = NAME
    ) -> "ArmId":
        """Return the id of these parts; the InputError quotes `text`, which is what people wrote."""
        for what, value, allowed in (
            ("subscription id", subscription, GUID),
            ("resource group", group, GROUP),
            ("name", name, pattern),
        ):
            if not allowed.fullmatch(value):
                raise InputError("ARM id", text, f"a {what} that Azure allows instead of {value[:60]!r}")
        return cls(subscription.lower(), group, type_, name)
