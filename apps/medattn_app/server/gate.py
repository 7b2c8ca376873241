"""The gate in front of Gradio: every request passes it, and every answer."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from medattn_app.server.logins import Logins
from medattn_app.server.receiving import Receiving
from medattn_app.server.rules import (
    API,
    MAX_JSON_BYTES,
    MCP,
    Refused,
    check_origin,
    check_route,
    read_body,
    refuse_tool_call,
    safety_headers,
)
from medattn_app.server.turns import NoTurn, Turns
from medattn_app.service.fairness import visitor_of
from medattn_app.service.faults import FAULTS

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

AT_ONCE = max(2, os.cpu_count() or 2)  # questions of pages that are computed
MAX_OPEN, MAX_OPEN_OF_A_VISITOR = 2000, 400  # requests, streams among them
SENTENCES = {
    400: "This is no question that can be answered here.",
    404: "There is no such page here.",
    405: "There is no such page here.",
    422: "This is no question that can be answered here.",
    500: "Something went wrong here. The host has been told.",
    503: "Too many questions wait. Try again in a moment.",
}


@dataclass(frozen=True)
class GateRules:
    """What the host lets through.

    Attributes:
        max_upload: Largest file, in bytes.
        uploads: Whether files may come at all.
        mcp: Whether language models may call the endpoints.
        waiting: Questions that may wait.
        embedded_by: Origins whose pages may show this one in a frame.
    """

    max_upload: int
    uploads: bool = True
    mcp: bool = False
    waiting: int = 64
    embedded_by: tuple[str, ...] = ()


class Gate:
    """An ASGI application around Gradio's.

    Args:
        app: Gradio's application.
        rules: The host's `GateRules`.
        closed: Called with the session of a page that was closed.
    """

    def __init__(
        self,
        app: Application,
        rules: GateRules,
        closed: Callable[[str], object] = lambda session: None,
    ):
        self._app, self._rules, self._closed = app, rules, closed
        self._headers = safety_headers(rules.embedded_by)
        self._receiving = Receiving(rules.max_upload)
        self._logins = Logins()
        self._turns = Turns(AT_ONCE, AT_ONCE - 1, rules.waiting)
        self._open: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # Gradio has no sockets
        answer = _Answer(send, self._headers, scope["path"])
        visitor = visitor_of((scope.get("client") or [None])[0])
        self._open[visitor] += 1
        try:
            await self._pass(scope, receive, answer, visitor)
        except Refused as error:
            await answer.refuse(error)
        except NoTurn as error:
            await answer.refuse(Refused(429, str(error), retry_after=1))
        except Exception as error:
            FAULTS.report(error, "A request failed")
            await answer.refuse(Refused(500, SENTENCES[500]))
        finally:
            self._open[visitor] -= 1
            if not self._open[visitor]:
                del self._open[visitor]

    async def _pass(
        self, scope: Scope, receive: Receive, answer: "_Answer", visitor: str
    ) -> None:
        method, path = scope["method"], scope["path"]
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        if self._open.total() > MAX_OPEN or self._open[visitor] > MAX_OPEN_OF_A_VISITOR:
            raise Refused(503, SENTENCES[503], retry_after=10)
        check_route(method, path, mcp=self._rules.mcp)
        check_origin(headers)
        # Nobody else reads the origin: an answer of Gradio's to it would open the page.
        scope = scope | {"headers": [h for h in scope["headers"] if h[0] != b"origin"]}
        if path.startswith(f"{API}/heartbeat/"):
            await self._stay(scope, receive, answer, path.rstrip("/").split("/")[-1])
        elif method != "POST":
            await self._app(scope, receive, answer)
        elif path.rstrip("/") == "/login":
            await self._log_in(scope, receive, answer, visitor)
        elif path.rstrip("/") == f"{API}/upload":
            await self._upload(scope, receive, answer, visitor)
        else:
            await self._ask(scope, receive, answer, visitor)

    async def _stay(
        self, scope: Scope, receive: Receive, answer: "_Answer", session: str
    ) -> None:
        """Holds the stream of an open page, and notices at once that it is closed."""
        arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def watch() -> None:
            while True:
                message = await receive()
                arrived.put_nowait(message)
                if message["type"] == "http.disconnect":
                    self._closed(session)
                    return

        watching = asyncio.create_task(watch())
        try:
            await self._app(scope, arrived.get, answer)
        finally:
            watching.cancel()

    async def _ask(
        self, scope: Scope, receive: Receive, answer: "_Answer", visitor: str
    ) -> None:
        """Passes a question on when its turn comes."""
        path = scope["path"].rstrip("/")
        content = await _body(scope, receive)
        if MCP.fullmatch(path):
            refused = refuse_tool_call(content)
            if refused is not None:
                await answer.say_json(200, refused)
                return
            session, kind, newest_wins = "", "mcp", False
        else:
            body = read_body(content)
            session = str(body.get("session_hash") or "")
            kind = f"{path} {str(body.get('fn_name', ''))[:64]}"
            newest_wins = bool(session)
        receive = _replay(content, receive)
        if path.removeprefix(API).startswith(("/queue", "/call", "/cancel", "/reset")):
            await self._app(scope, receive, answer)  # Gradio's queue has its own turns
            return
        try:
            async with self._turns.turn((visitor, session), kind, newest_wins):
                await self._app(scope, receive, answer)
        except NoTurn as error:
            await answer.say(200 if kind.endswith("component_server") else 429, error)

    async def _upload(
        self, scope: Scope, receive: Receive, answer: "_Answer", visitor: str
    ) -> None:
        """Decodes a file, and passes on a secret in its place."""
        if not self._rules.uploads:
            raise Refused(404, SENTENCES[404])
        if not await self._is_known(scope):
            raise Refused(401, "Log in first.")
        form = await self._receiving.take(scope, receive, visitor)
        kept = [
            header
            for header in scope["headers"]
            if header[0].lower()
            not in (b"content-type", b"content-length", b"transfer-encoding")
        ]
        kept += [
            (b"content-type", form["type"].encode()),
            (b"content-length", str(len(form["body"])).encode()),
        ]
        replayed = _replay(form["body"], receive)
        await self._app(scope | {"headers": kept}, replayed, answer)

    async def _is_known(self, scope: Scope) -> bool:
        """Asks Gradio whether a request comes from somebody who logged in."""
        path = f"{API}/login_check"
        inner = scope | {
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
        }
        statuses: list[int] = []

        async def note(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._app(inner, _replay(b"", None), note)
        return statuses == [200]

    async def _log_in(
        self, scope: Scope, receive: Receive, answer: "_Answer", visitor: str
    ) -> None:
        wait = self._logins.wait(visitor)
        if wait > 0:
            seconds = int(wait) + 1
            raise Refused(
                429, f"Too many wrong passwords. Wait {seconds} s.", retry_after=seconds
            )
        content = await _body(scope, receive)
        await self._app(scope, _replay(content, receive), answer)
        if answer.status in (200, 302, 400, 401):
            self._logins.report(visitor, right=answer.status in (200, 302))


class _Answer:
    """Passes an answer on, with the headers of the gate and without Python's words."""

    def __init__(self, send: Send, headers: dict[str, str], path: str):
        self._send, self._path = send, path
        self._headers = [(k.encode(), v.encode()) for k, v in headers.items()]
        self._replaced = False
        self.status: int | None = None

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._is_foreign(message["status"]):
                self._replaced = True
                await self.say(message["status"])
                return
            own = {name for name, _ in self._headers}
            kept = [
                header
                for header in message.get("headers", [])
                if header[0].lower() not in own
                and not header[0].lower().startswith(b"access-control-")
            ]
            message = message | {"headers": kept + self._headers}
        elif self._replaced:
            return  # the answer has been given
        await self._send(message)

    async def refuse(self, error: Refused) -> None:
        """Answers with a sentence, unless an answer has begun."""
        if self.status is None:
            await self.say(error.status, error, error.retry_after)

    async def say(
        self, status: int, reason: object = None, retry_after: int | None = None
    ) -> None:
        """Answers with a sentence of ours."""
        sentence = str(reason or SENTENCES.get(status, SENTENCES[400]))
        said = {"error": sentence, "detail": sentence}
        await self.say_json(status, said, retry_after)

    async def say_json(
        self, status: int, said: dict[str, Any], retry_after: int | None = None
    ) -> None:
        """Answers with JSON of ours."""
        self.status = status
        body = json.dumps(said).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *self._headers,
        ]
        if retry_after is not None:
            headers.append((b"retry-after", str(retry_after).encode()))
        start = {"type": "http.response.start", "status": status, "headers": headers}
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    def _is_foreign(self, status: int) -> bool:
        """Whether Gradio's own words about an error would go out."""
        if status < 400 or status == 401 or self._path.rstrip("/") == "/login":
            return False
        answered = self._path.startswith((f"{API}/run/", f"{API}/api/", f"{API}/mcp"))
        return not (answered and status in (400, 406, 500))


async def _body(scope: Scope, receive: Receive) -> bytes:
    """Reads a body that is no file."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Refused(400, SENTENCES[400])
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_JSON_BYTES:
            raise Refused(413, "This question is too long.")
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(content: bytes, receive: Receive | None) -> Receive:
    """Gives out a body that was read before, then what comes after it."""
    sent = False

    async def again() -> dict[str, Any]:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": content, "more_body": False}
        return {"type": "http.disconnect"} if receive is None else await receive()

    return again
