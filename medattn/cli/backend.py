"""Starts the backend of the command line without its messages."""

import os
import sys
import tempfile
from typing import Any


def import_backend() -> None:
    """Imports TensorFlow without the messages that it writes past Python's logging.

    They are shown if the import fails.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras

            keras.ops.zeros(1)  # the device search prints, too
        except BaseException:
            messages.seek(0)
            os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    _compute_in_single_precision(keras)


def _compute_in_single_precision(keras: Any) -> None:
    """Keeps keras.json from changing the maps: half precision is off by a thirtieth."""
    floatx = keras.config.floatx()
    if floatx == "float32":
        return
    keras.config.set_floatx("float32")
    print(
        f"keras.json asks for floatx {floatx!r}, in which maps are off: computing in "
        "'float32'.",
        file=sys.stderr,
    )
