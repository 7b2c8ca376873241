"""Files that are complete or absent: atomic writes and checkpoints with a hash."""

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

CHECKPOINTS_KEPT = 2  # the last, and the one before in case the last is damaged
DIGEST = 32  # bytes of SHA-256


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Writes a file so that a reader sees the old one or the new one, never a part.

    Args:
        path: The file.
        content: Bytes or text.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    if isinstance(content, str):
        content = content.encode()
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise


def write_json(path: str | Path, content: Any) -> None:
    """Writes JSON atomically."""
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def read_json(path: str | Path) -> Any:
    """Reads JSON; None if there is no such file, or it is damaged."""
    try:
        return json.loads(Path(path).read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def read_json_lines(path: str | Path) -> list[Any]:
    """Reads one JSON value a line; an empty list if there is no such file."""
    try:
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    except FileNotFoundError:
        return []


def write_arrays(path: str | Path, **arrays: np.ndarray) -> None:
    """Writes an .npz atomically, the same bytes for the same arrays."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    write_atomic(path, stream.getvalue())


def file_sha256(path: str | Path) -> str:
    """Hashes a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save_checkpoint(
    folder: str | Path,
    arrays: Mapping[str, np.ndarray],
    progress: Mapping[str, Any],
) -> None:
    """Writes everything that a trial resumes from into one file, atomically.

    The file is the SHA-256 of the rest, then safetensors, so that damage is noticed.

    Args:
        folder: The trial's.
        arrays: Arrays by name.
        progress: What JSON can hold; `progress["step"]` numbers the file.
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    content = save(arrays, metadata={"progress": json.dumps(progress)})
    path = Path(folder) / f"checkpoint-{progress['step']:08d}.bin"
    write_atomic(path, hashlib.sha256(content).digest() + content)
    for old in _checkpoints(folder)[CHECKPOINTS_KEPT:]:
        old.unlink(missing_ok=True)


def load_checkpoint(
    folder: str | Path, *, warn: Callable[[str], Any] = print
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """Reads the last good checkpoint.

    Args:
        folder: The trial's.
        warn: Called with a sentence for each file that is damaged.

    Returns:
        `(arrays, progress)`, or None if there is no good one.
    """
    from safetensors.numpy import load

    for path in _checkpoints(folder):
        content = path.read_bytes()
        digest, body = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            warn(
                f"The checkpoint {path} is damaged: it is set aside, and the one "
                "before it is used."
            )
            path.replace(path.with_suffix(".damaged"))
            continue
        header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
        return load(body), json.loads(header["__metadata__"]["progress"])
    return None


def delete_checkpoints(folder: str | Path) -> None:
    """Deletes all checkpoints of a trial."""
    for path in _checkpoints(folder):
        path.unlink(missing_ok=True)


def _checkpoints(folder: str | Path) -> list[Path]:
    """Lists the checkpoints, the newest first."""
    found = [
        p for p in Path(folder).glob("*.bin") if re.fullmatch(r"checkpoint-\d+", p.stem)
    ]
    return sorted(found, reverse=True)
