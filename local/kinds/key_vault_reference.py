"""An app setting of App Service that refers to the managed secret instead of holding a copy."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from local.answer import Answer
from local.company import Company
from local.kinds import arm
from local.kinds.app_setting import ROLE, TYPE
from local.kinds.copy import Copy
from local.kinds.ports import Credential, Seed
from local.seed_document import merged, new_name

if TYPE_CHECKING:
    from local.onlooker import Onlooker


@dataclass(frozen=True)
class KeyVaultReference(Copy):
    """One reference of a site, which reads the vault with an identity of its own."""

    part: ClassVar[str] = "read by"
    stores: ClassVar[str] = "the reference gives the app that value"
    uses: ClassVar[str] = "the app gets in with what it refers to"
    how: ClassVar[str] = "tried with what the app gets"

    site: str = field(default_factory=lambda: new_name("api"))
    setting: str = "Shop__Reference"
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Of the site's identity."""

    @property
    def site_id(self) -> str:
        """The site's ARM id."""
        return arm.arm_id(TYPE, self.site)

    def uri(self) -> str:
        """Return its normal form."""
        return arm.uri("key-vault-reference", self.site, self.setting)

    def shown(self) -> str:
        """Say where it is."""
        return f"site {self.site}, whose setting {self.setting} is a Key Vault reference"

    def seed(self, value: Any, canary: str) -> Seed:  # noqa: ARG002 - it holds no value
        """Return the site's identity and the app's role; the site itself needs the secret."""
        return merged({"identities": {self.site: {"client_id": self.client_id}}}, arm.granted(ROLE, self.site_id))

    def seed_with_secret(self, vault: str, secret: str) -> Seed:
        """Return the site: a reference is read as soon as it is there, and then not again for a day."""
        reference = f"@Microsoft.KeyVault(VaultName={vault};SecretName={secret})"
        settings = {self.setting: reference, "WEBSITE_TIME_ZONE": "UTC"}
        return {
            "vaults": {vault: {"roles": {self.site: "Key Vault Secrets User"}}},
            "sites": {self.site: {"resource_group": arm.GROUP, "identity": self.site, "settings": settings}},
        }

    def scope(self) -> dict[str, Any]:
        """Return the site."""
        return {"resources": [self.site_id]}

    def held(self, company: Company) -> str | None:
        """Return what the app itself gets."""
        return company.arm.sites[self.site_id].environment.get(self.setting)

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> Answer | None:
        """Use what the app gets, once there is something to refer to."""
        return super().tried(onlooker, company, credential) if self.site_id in company.arm.sites else None

    def may_change(self) -> Iterator[str]:
        """Yield what the reference came to."""
        setting = re.escape(self.setting)
        yield f"arm/Microsoft.Web/{re.escape(self.site_id)}/(references/{setting}/version|environment/{setting})$"

    def updated(self) -> str:
        """Say what was done."""
        return f"site {self.site} was told to read its Key Vault references again; nothing secret was written"

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what the app gets."""
        gets = "that value" if same else "ANOTHER value"
        return f"the app of {self.site} gets {gets} from the vault (tried: HTTP {answer.status}, {answer.text})"
