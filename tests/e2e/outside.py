"""What somebody outside of Rekey can do in the simulated Azure: sign in, press Verify, read as a managed identity."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
"""The resource id of Azure DevOps."""


class Outside:
    """Plain HTTP requests to the simulated services; `*.localhost` has to resolve in this process."""

    def __init__(self, description: dict[str, Any], tenant: str) -> None:
        self._description = description
        self._tenant = tenant
        self._tls = ssl.create_default_context(cafile=description["ca"])

    def sign_in(self, client_id: str, value: str) -> tuple[int, Any]:
        """Sign in at Entra as an application; returns status and body of the token endpoint's answer."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": value,
            "scope": "https://management.azure.com/.default",
        }
        url = f"{self._description['urls']['entra']}/{self._tenant}/oauth2/v2.0/token"
        return self._send("POST", url, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})

    def verify(self, identity: str, project: str, endpoint_id: str) -> dict[str, Any]:
        """Press the portal's Verify button; `project` is organization/project, `identity` a client id.

        Azure DevOps itself signs in with the key that it stores: `statusCode` is "ok" if it could.
        """
        base = f"{self._description['urls']['azuredevops']}/{project}"
        url = f"{base}/_apis/serviceendpoint/endpointproxy?endpointId={endpoint_id}&api-version=7.1"
        body = json.dumps({"dataSourceDetails": {"dataSourceName": "TestConnection"}})
        status, answer = self.send("POST", url, body, self.token(identity, DEVOPS))
        assert status == 200, answer
        found: dict[str, Any] = answer
        return found

    def send(self, method: str, url: str, body: str | None, token: str) -> tuple[int, Any]:
        """Send one request with a bearer token (none if it is empty); returns status and body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._send(method, url, body, headers | ({"Content-Type": "application/json"} if body else {}))

    def token(self, identity: str, resource: str) -> str:
        """Return an access token of a managed identity (client id) for a resource."""
        query = {"api-version": "2019-08-01", "resource": resource, "client_id": identity}
        url = f"{self._description['identity_endpoint']}?{urlencode(query)}"
        status, answer = self._send("GET", url, None, {"X-IDENTITY-HEADER": self._description["identity_header"]})
        assert status == 200, answer
        found: str = answer["access_token"]
        return found

    def _send(self, method: str, url: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=30, context=self._tls)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=30)
        )
        try:
            connection.request(method, f"{parts.path}?{parts.query}", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()
