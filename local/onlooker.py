"""Somebody who isn't Rekey: uses credentials at the simulated services, and asks Azure DevOps to test a connection.

What it finds out, it finds out over HTTPS from the services themselves. Its requests carry a user agent of their own,
so that nobody counts them as Rekey's.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode, urlsplit

from local.answer import Answer
from local.azure.storage_account_signature import signature, string_to_sign
from local.stack import Stack

USER_AGENT = "rekey-onlooker"
IDENTITY = "onlooker"
_AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"


class Onlooker:
    """An identity of its own that may use, and not change, the company's service connections and pipelines."""

    def __init__(self, stack: Stack) -> None:
        scenario, control = stack.scenario, stack.control
        member = {"projects": {scenario.project: ["use", "queue-builds"]}}
        document = {
            "identities": {IDENTITY: {}},
            "organizations": {scenario.organization: {"members": {IDENTITY: member}}},
        }
        self._client_id: str = control.seed(document)["identities"][IDENTITY]["client_id"]
        self._control = control
        self._description = control.description
        self._tls = ssl.create_default_context(cafile=control.description["ca"])
        self._tenant: str = control.state()["entra"]["tenant"]

    def sign_in(self, client_id: str, value: str) -> Answer:
        """Ask Entra for a token of the application, with that password."""
        form = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": value,
            "scope": "https://management.azure.com/.default",
        }
        status, answer = self._send(
            "login", f"/{self._tenant}/oauth2/v2.0/token", urlencode(form), "application/x-www-form-urlencoded"
        )
        refusal = str(answer.get("error_description", "")).partition(" Trace ID:")[0]
        return Answer(status, refusal or f"a token for {answer.get('expires_in', 0)} s")

    def test_connection(self, organization: str, project: str, endpoint: str) -> Answer:
        """Have Azure DevOps sign in with the key it stores: what the portal's Verify button does."""
        path = f"/{organization}/{project}/_apis/serviceendpoint/endpointproxy"
        query = urlencode({"endpointId": endpoint, "api-version": "7.1"})
        body = json.dumps({"dataSourceDetails": {"dataSourceName": "TestConnection"}})
        token = self._token(_AZURE_DEVOPS, self._client_id)
        status, answer = self._send("azuredevops", f"{path}?{query}", body, "application/json", token)
        refusal = str(answer.get("errorMessage") or answer.get("message") or "").partition(" Trace ID:")[0]
        inner = str(answer.get("statusCode", status))
        return Answer(200 if (status, inner) == (200, "ok") else 400, refusal or inner)

    def run_pipeline(self, organization: str, project: str, pipeline: int) -> Answer:
        """Run a pipeline of one moment and say how that ended: it signs in as its connections do."""
        path = f"/{organization}/{project}/_apis/pipelines/{pipeline}/runs?api-version=7.1"
        token = self._token(_AZURE_DEVOPS, self._client_id)
        status, answer = self._send("azuredevops", path, "{}", "application/json", token)
        result = str(answer.get("result") or answer.get("message") or answer.get("state") or "")
        return Answer(200 if (status, result) == (200, "succeeded") else 400, result)

    def blob_service(self, account: str, key: str) -> Answer:
        """Ask a storage account for its blob service's properties, signed with a key."""
        query = "restype=service&comp=properties"
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2024-11-04"}
        signed = signature(string_to_sign("GET", account, "/", query, headers), key)
        headers["Authorization"] = f"SharedKey {account}:{signed}"
        response, body = self._ask("GET", f"{account}.blob.storage", f"/?{query}", None, headers)
        refusal = f"{response.headers.get('x-ms-error-code', '')}: {_between(body.decode(), 'Message')}".splitlines()
        return Answer(response.status, "the blob service's properties" if response.status == 200 else refusal[0])

    def read_secret(self, identity: str, vault: str, secret: str) -> Answer:
        """Read a secret (`name` or `name/version`) as an identity of the company does, without keeping the value.

        It asks without a token first, as SDKs do.
        """
        path, host = f"/secrets/{secret}?api-version=7.5", f"{vault}.vault"
        self._ask("GET", host, path, None, {})
        client_id = self._control.state()["entra"]["identities"][identity]["client_id"]
        token = self._token(self._description["audiences"]["vault"], client_id)
        response, body = self._ask("GET", host, path, None, {"Authorization": f"Bearer {token}"})
        refusal = json.loads(body).get("error", {}).get("message", "").partition("\r\n")[0]
        return Answer(response.status, refusal or "the value")

    def _token(self, resource: str, client_id: str) -> str:
        endpoint = urlsplit(self._description["identity_endpoint"])
        query = {"api-version": "2019-08-01", "resource": resource, "client_id": client_id}
        headers = {"X-IDENTITY-HEADER": self._description["identity_header"], "User-Agent": USER_AGENT}
        connection = http.client.HTTPConnection(endpoint.hostname or "", endpoint.port, timeout=30)
        try:
            connection.request("GET", f"{endpoint.path}?{urlencode(query)}", headers=headers)
            return str(json.loads(connection.getresponse().read())["access_token"])
        finally:
            connection.close()

    def _send(self, host: str, path: str, body: str, content_type: str, token: str = "") -> tuple[int, dict[str, Any]]:
        headers = {"Content-Type": content_type} | ({"Authorization": f"Bearer {token}"} if token else {})
        response, answered = self._ask("POST", host, path, body, headers)
        answer = json.loads(answered)
        return response.status, answer if isinstance(answer, dict) else {}

    def _ask(
        self, method: str, host: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        port = self._description["port"]
        named = {"Host": f"{host}.localhost:{port}", "User-Agent": USER_AGENT}
        # By address: not every machine resolves *.localhost.
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=self._tls, timeout=30)
        try:
            connection.request(method, path, body, {**named, **headers})
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


def _between(xml: str, name: str) -> str:
    return xml.partition(f"<{name}>")[2].partition(f"</{name}>")[0]
