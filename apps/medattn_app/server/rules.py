"""What a request may be: its address, its origin, its headers, its body."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

API = "/gradio_api"
MAX_JSON_BYTES = 128 * 1024  # of a question; a page's are below 10 kB
INVALID_PARAMETERS = -32602  # of JSON-RPC
MAX_DEPTH = 40  # of lists in lists
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")

# The addresses that the page and the clients use; all others are closed: those that
# read files, fetch from other machines, edit the app or show how it is used.
GET = re.compile(
    r"/(?:[a-z]{2}/?)?|/config/?|/(?:static|assets|svelte)/.*|/favicon\.ico|/theme\.css"
    r"|/manifest\.json|/robots\.txt|/pwa_icon.*|/logout|/login_check/?"
    rf"|{API}/(?:info|openapi\.json|startup-events|app_id|user|login_check|theme\.css"
    r"|upload_progress|heartbeat/[^/]+|queue/(?:data|status)"
    r"|call(?:/v2)?/[^/]+/[^/]+)/?"
)
POST = re.compile(
    r"/login/?"
    rf"|{API}/(?:upload|component_server|cancel|reset|queue/join"
    r"|(?:run|api|call|call/v2)/[^/]+)/?"
)
MCP = re.compile(rf"{API}/mcp(?:/.*)?")

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
# Gradio's page has scripts in it, and makes functions of texts.
CONTENT_SECURITY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors {ancestors}"
)


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: HTTP's number.
        sentence: What the client is told.
        retry_after: Seconds after which it may come again, or None.
    """

    def __init__(self, status: int, sentence: str, retry_after: int | None = None):
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after = status, sentence, retry_after


def check_route(method: str, path: str, *, mcp: bool) -> None:
    """Refuses an address that neither the page nor a client uses."""
    if mcp and MCP.fullmatch(path):
        return
    open_routes = {"GET": GET, "HEAD": GET, "POST": POST}.get(method)
    if open_routes is None or not open_routes.fullmatch(path):
        raise Refused(404, "There is no such page here.")


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuses what another site's page asks for.

    A browser says itself whether a request comes from the same site, and a proxy that
    changes `Host` does not change that; without it, the origin must be this host.

    Args:
        headers: Of the request, in small letters.
    """
    said, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if said in ("same-origin", "none"):
        return
    if said in ("cross-site", "same-site"):
        if headers.get("sec-fetch-mode") == "navigate" and origin is None:
            return  # a link that leads here, or a frame, which has its own rule
        raise Refused(403, "Another site's page may not ask here.")
    if origin is None:
        return  # no browser
    here = {headers.get("host"), headers.get("x-forwarded-host")}
    if origin == "null" or urlsplit(origin).netloc not in here:
        raise Refused(403, "Another site's page may not ask here.")


def safety_headers(embedded_by: tuple[str, ...]) -> dict[str, str]:
    """Returns the headers that every answer carries.

    Args:
        embedded_by: Origins whose pages may show this one in a frame.
    """
    ancestors = " ".join(["'self'", *embedded_by])
    headers = HEADERS | {
        "content-security-policy": CONTENT_SECURITY.format(ancestors=ancestors)
    }
    return headers if embedded_by else headers | {"x-frame-options": "SAMEORIGIN"}


def read_body(content: bytes) -> dict[str, Any]:
    """Reads the JSON of a question, and refuses what no question holds.

    Raises:
        Refused: If it is no JSON, too deep, names a file that was not sent here, or
            has a session that is no name.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "This is no question. Expected JSON.")
    for item, depth in walk(body):
        if depth > MAX_DEPTH:
            raise Refused(400, "This question has too many lists in lists.")
        if isinstance(item, dict):
            _check_file(item)
    session = body.get("session_hash")
    if session is not None and not (
        isinstance(session, str) and SESSION.fullmatch(session)
    ):
        raise Refused(400, "There is no such session.")
    return body


def refuse_tool_call(content: bytes) -> dict[str, Any] | None:
    """Refuses a call of a language model that brings anything but plain values.

    Gradio's MCP server uploads the files that a call names, from the server's own
    disk: no call may name one.

    Returns:
        JSON-RPC's answer to such a call; None if the message may pass.

    Raises:
        Refused: If it is no JSON.
    """
    if not content:
        return None
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(400, "This is no message. Expected JSON.") from None
    plain = str | int | float | bool | None
    for message in body if isinstance(body, list) else [body]:
        params = message.get("params") if isinstance(message, dict) else None
        values = params.get("arguments") if isinstance(params, dict) else None
        if values is None:
            continue
        flat = isinstance(values, dict)
        if not flat or not all(isinstance(value, plain) for value in values.values()):
            sentence = "A tool takes texts and numbers only, and no files."
            error = {"code": INVALID_PARAMETERS, "message": sentence}
            return {"jsonrpc": "2.0", "id": message.get("id"), "error": error}
    return None


def walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Yields a value of JSON and all inside it, each with its depth."""
    ahead = [(value, 0)]
    while ahead:
        item, depth = ahead.pop()
        yield item, depth
        inside = item.values() if isinstance(item, dict) else item
        if isinstance(item, dict | list):
            ahead += [(one, depth + 1) for one in inside]


def _check_file(item: dict[str, Any]) -> None:
    """Refuses a file that lies elsewhere: Gradio would fetch it from there."""
    meta = item.get("meta")
    named = isinstance(meta, dict) and "_type" in meta
    path = item.get("path")
    if named and not (isinstance(path, str) and path and "://" not in path):
        raise Refused(400, "No file came. Expected one image that was sent here.")
    if named and (item.get("is_stream") or "\0" in str(path)):
        raise Refused(400, "No file came. Expected one image that was sent here.")
