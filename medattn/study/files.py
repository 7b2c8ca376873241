"""Files that are whole or not there: atomic writes and checkpoints with a hash."""

import contextlib
import hashlib
import io
import json
import os
import re
from pathlib import Path

import numpy as np

CHECKPOINTS_KEPT = 2  # the last, and the one before in case the last is damaged
DIGEST = 32  # bytes of SHA-256


def write_atomic(path, content):
    """Writes a file so that a reader sees the old one or the new one, never a part.

    Args:
        path: Where.
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


def write_json(path, content):
    """Writes JSON atomically."""
    write_atomic(path, json.dumps(content, indent=2) + "\n")


def read_json(path):
    """Reads JSON; None if there is no such file, or it is damaged."""
    try:
        return json.loads(Path(path).read_text())
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
        return None


def write_arrays(path, **arrays):
    """Writes an .npz atomically, the same bytes for the same arrays."""
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    write_atomic(path, stream.getvalue())


def file_sha256(path):
    """Hashes a file."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def save_checkpoint(folder, arrays, progress):
    """Writes everything that a trial goes on from into one file, atomically.

    The file is the SHA-256 of the rest, then safetensors, so that damage is seen.

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


def load_checkpoint(folder, *, say=print):
    """Reads the last good checkpoint.

    Args:
        folder: The trial's.
        say: Told of each file that is damaged.

    Returns:
        `(arrays, progress)`, or None if there is no good one.
    """
    from safetensors.numpy import load

    for path in _checkpoints(folder):
        content = path.read_bytes()
        digest, body = content[:DIGEST], content[DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            say(
                f"The checkpoint {path} is damaged: it is set aside, and the one "
                "before it is taken."
            )
            path.replace(path.with_suffix(".damaged"))
            continue
        header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
        return load(body), json.loads(header["__metadata__"]["progress"])
    return None


def drop_checkpoints(folder):
    """Deletes all checkpoints: the trial is done."""
    for path in _checkpoints(folder):
        path.unlink(missing_ok=True)


def _checkpoints(folder):
    """Lists the checkpoints, the newest first."""
    found = [
        p for p in Path(folder).glob("*.bin") if re.fullmatch(r"checkpoint-\d+", p.stem)
    ]
    return sorted(found, reverse=True)
