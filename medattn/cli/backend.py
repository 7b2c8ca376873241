"""Starts the backend of the command line without its messages."""

import os
import sys
import tempfile


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
