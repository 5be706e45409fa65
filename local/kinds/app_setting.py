"""An app setting of a site of App Service."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.answer import Answer
from local.company import Company
from local.kinds import arm
from local.kinds.copy import Copy
from local.kinds.ports import Seed
from local.seed_document import merged, new_name

TYPE = "Microsoft.Web/sites"
ROLE = "Website Contributor"


@dataclass(frozen=True)
class AppSetting(Copy):
    """One setting of a site that has others, secret ones among them, and a slot."""

    stores: ClassVar[str] = "the app setting holds exactly that value"
    uses: ClassVar[str] = "the app gets in with its setting"
    how: ClassVar[str] = "tried with what the app gets"

    site: str = field(default_factory=lambda: new_name("web"))
    setting: str = "Shop__Secret"

    @property
    def site_id(self) -> str:
        """The site's ARM id."""
        return arm.arm_id(TYPE, self.site)

    def uri(self) -> str:
        """Return its normal form."""
        return arm.uri("app-setting", self.site, self.setting)

    def shown(self) -> str:
        """Say where it is."""
        return f"app setting {self.setting} of site {self.site}"

    def seed(self, value: Any, canary: str) -> Seed:
        """Return the site with all its settings."""
        slot = {"settings": {self.setting: f"{canary}of-the-slot"}}
        settings = {self.setting: value, "Other__Secret": f"{canary}of-somebody-else", "WEBSITE_TIME_ZONE": "UTC"}
        site = {"resource_group": arm.GROUP, "settings": settings, "slots": {"staging": slot}}
        return merged({"sites": {self.site: site}}, arm.granted(ROLE, self.site_id))

    def scope(self) -> dict[str, Any]:
        """Return the site."""
        return {"resources": [self.site_id]}

    def held(self, company: Company) -> str | None:
        """Return what the app itself gets."""
        return company.arm.sites[self.site_id].environment.get(self.setting)

    def may_change(self) -> Iterator[str]:
        """Yield the setting, what the app gets of it, and how often the site was restarted."""
        setting = re.escape(self.setting)
        yield f"arm/Microsoft.Web/{re.escape(self.site_id)}/(settings/{setting}|environment/{setting}|restarts)$"

    def updated(self) -> str:
        """Say what it has now."""
        return f"{self.shown()} holds the new one; all others were written back as they were"

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what the app gets."""
        gets = "that value" if same else "ANOTHER value"
        return f"the app of {self.site} gets {gets} (tried: HTTP {answer.status}, {answer.text})"
