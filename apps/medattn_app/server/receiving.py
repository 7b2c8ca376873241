"""Files come in: bounded, decoded on arrival, and handed on as a secret of 48 bytes."""

import secrets
from collections import Counter
from contextlib import contextmanager
from typing import Any

from anyio.to_thread import run_sync

from medattn_app.server.rules import Refused
from medattn_app.server.turns import NoTurn, Turns
from medattn_app.service.decoder import AT_ONCE
from medattn_app.service.uploads import MAX_NAME_CHARACTERS, receive_file

Message = dict[str, Any]
MAX_BYTES_AT_ONCE = 240 * 10**6  # of all files that are on their way
MAX_BYTES_OF_A_VISITOR = 120 * 10**6
MAX_FILES_OF_A_VISITOR = 64  # on their way; a class may come from one address
AROUND_A_FILE = 16 * 1024  # bytes of a form besides the file
TOO_LARGE = "The file is larger than the host allows."
BUSY = "Too many files come at once. Try again in a moment."
NO_FILE = "No file came. Expected one image."


class Receiving:
    """Takes one file of a form, and decodes it before anything waits for it.

    Args:
        max_bytes: Largest file.
    """

    def __init__(self, max_bytes: int):
        self._max_bytes = max_bytes
        self._bytes: Counter[str] = Counter()
        self._files: Counter[str] = Counter()
        self._decoding = Turns(AT_ONCE, max(1, AT_ONCE - 1), 256)

    async def take(self, scope: Message, receive: Any, visitor: str) -> Message:
        """Reads a form with a file.

        Args:
            scope: Of the request.
            receive: Yields its body.
            visitor: Who sends it.

        Returns:
            A message with a form in which the file is a secret, and its content type.

        Raises:
            Refused: If it is no form with one file, too large, or the disk is full.
        """
        headers = {name.lower(): value for name, value in scope["headers"]}
        length = headers.get(b"content-length", b"")
        claimed = int(length) if length.isdigit() else self._max_bytes
        if claimed > self._max_bytes + AROUND_A_FILE:
            raise Refused(413, TOO_LARGE)
        with self._reserved(visitor, claimed):
            content, name = await self._read(scope, receive)
            try:
                async with self._decoding.turn((visitor, ""), "file", False):
                    secret = await run_sync(receive_file, content, name, visitor)
            except NoTurn as error:
                raise Refused(503, str(error), retry_after=5) from None
        return _form(secret, name)

    async def _read(self, scope: Message, receive: Any) -> tuple[bytes, str]:
        from starlette.datastructures import UploadFile
        from starlette.exceptions import HTTPException
        from starlette.formparsers import MultiPartException
        from starlette.requests import Request

        read = 0

        async def bounded() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_bytes + AROUND_A_FILE:
                raise Refused(413, TOO_LARGE)
            return message

        try:
            # Its temporary file has no name: nothing is left, whatever happens.
            async with Request(scope, bounded).form(max_files=1, max_fields=4) as form:
                files = [one for one in form.values() if isinstance(one, UploadFile)]
                if len(files) != 1:
                    raise Refused(400, NO_FILE)
                content = await files[0].read()
                name = files[0].filename or "image"
        except OSError:
            raise Refused(507, "The host's disk is full. Nothing was kept.") from None
        except (HTTPException, MultiPartException, ValueError, KeyError, UnicodeError):
            raise Refused(400, NO_FILE) from None
        if len(content) > self._max_bytes:
            raise Refused(413, TOO_LARGE)
        return content, name

    @contextmanager
    def _reserved(self, visitor: str, claimed: int) -> Any:
        """Sets memory aside for a file while it is on its way."""
        if (
            self._bytes.total() + claimed > MAX_BYTES_AT_ONCE
            or self._bytes[visitor] + claimed > MAX_BYTES_OF_A_VISITOR
            or self._files[visitor] >= MAX_FILES_OF_A_VISITOR
        ):
            raise Refused(503, BUSY, retry_after=5)
        self._bytes[visitor] += claimed
        self._files[visitor] += 1
        try:
            yield
        finally:
            self._bytes[visitor] -= claimed
            self._files[visitor] -= 1
            if not self._files[visitor]:
                del self._bytes[visitor], self._files[visitor]


def _form(secret: bytes, name: str) -> Message:
    """Writes a form with the secret as its only file."""
    plain = "".join(s for s in name if s.isascii() and (s.isalnum() or s in "._-"))
    plain = plain.lstrip(".")[-MAX_NAME_CHARACTERS:] or "image"
    edge = secrets.token_hex(16)
    body = (
        f'--{edge}\r\nContent-Disposition: form-data; name="files"; '
        f'filename="{plain}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    ).encode()
    body += secret + f"\r\n--{edge}--\r\n".encode()
    return {"body": body, "type": f"multipart/form-data; boundary={edge}"}
