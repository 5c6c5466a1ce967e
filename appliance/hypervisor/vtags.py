"""Tags of a vCenter: an interface of their own tells of them, and has to be asked for changes."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from typing import Any

from appliance.hypervisor.options import Credentials, clean

_EVERY = 15.0  # seconds between looks
_TIMEOUT = 10.0
_MAX_ANSWER = 64 << 20
_MAX_TAGS = 2000
_BASE = "/rest/com/vmware/cis"


class TagReader:
    """Asks for tags and the machines they are on. A server without tags is asked no more."""

    def __init__(self, server: str, port: int, login: Credentials, context: ssl.SSLContext) -> None:
        """Take the address; nothing is asked."""
        self._address = (server, port)
        self._login = login
        self._context = context
        self._next = 0.0
        self._without = False
        self._last: dict[str, frozenset[str]] = {}
        self._session = ""
        self._names: dict[str, str] = {}

    def due(self, now: float) -> bool:
        """Tell whether it is time to ask again."""
        if now < self._next or self._without:
            return False
        self._next = now + _EVERY
        return True

    def read(self) -> dict[str, frozenset[str]]:
        """Give the tags of machines by the identity of their objects; those of before without an answer."""
        if self._without:
            return {}
        try:
            connection = http.client.HTTPSConnection(*self._address, timeout=_TIMEOUT, context=self._context)
            try:
                self._last = self._ask(connection)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError):
            return (
                self._last
            )  # asked again soon; a tag that is not known for now is no tag that was taken away
        return self._last

    def _ask(self, connection: http.client.HTTPSConnection) -> dict[str, frozenset[str]]:
        session = self._open(connection)
        if not session:
            self._without = True
            return {}
        tags = self._get(connection, "GET", "/tagging/tag", session)[:_MAX_TAGS]
        names = {}
        for tag in tags:
            names[tag] = self._names.get(tag) or self._name(connection, tag, session)
        self._names = names
        found: dict[str, set[str]] = {}
        path = "/tagging/tag-association?~action=list-attached-objects-on-tags"
        for one in self._get(connection, "POST", path, session, {"tag_ids": tags}) if tags else ():
            for target in one["object_ids"]:
                if target["type"] == "VirtualMachine":
                    found.setdefault(str(target["id"]), set()).add(names[one["tag_id"]])
        self._get(connection, "DELETE", "/session", session)
        return {key: frozenset(many) for key, many in found.items()}

    def _name(self, connection: http.client.HTTPSConnection, tag: str, session: str) -> str:
        model = self._get(connection, "GET", f"/tagging/tag/id:{tag}", session)
        category = self._get(connection, "GET", f"/tagging/category/id:{model['category_id']}", session)
        return clean(f"{category['name']}:{model['name']}")

    def _open(self, connection: http.client.HTTPSConnection) -> str:
        secret = f"{self._login.username}:{self._login.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(secret).decode()}"}
        connection.request("POST", f"{_BASE}/session", headers=headers)
        answer = connection.getresponse()
        body = answer.read(_MAX_ANSWER)
        if answer.status == 404:
            return ""
        return str(json.loads(body)["value"])

    def _get(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        path: str,
        session: str,
        body: Any = None,
    ) -> Any:
        text = None if body is None else json.dumps(body)
        headers = {"vmware-api-session-id": session, "Content-Type": "application/json"}
        connection.request(method, f"{_BASE}{path}", body=text, headers=headers)
        answer = connection.getresponse()
        data = answer.read(_MAX_ANSWER)
        if answer.status >= 400:
            message = f"status {answer.status}"
            raise ValueError(message)
        return json.loads(data)["value"] if data else None
