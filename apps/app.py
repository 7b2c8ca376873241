"""The app on a Hugging Face Space, or anywhere that runs `python app.py`."""

import logging
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# On a Space, medattn lies beside this file; in the repository, above it.
sys.path[:0] = [str(HERE), str(HERE.parent)]

from medattn.cli import import_backend  # noqa: E402


def main():
    """Serves the app to everybody who finds the address; uploads stay small."""
    import_backend()
    # Each network is compiled once; TensorFlow takes a dozen of one kind for a mistake.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from medattn_app import launch
    from medattn_app.service.context import Settings

    launch(
        host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        settings=Settings(
            language=os.environ.get("MEDATTN_LANG", "en"),
            max_upload=os.environ.get("MEDATTN_MAX_UPLOAD", "10mb"),
            lesson=os.environ.get("MEDATTN_LESSON") or None,
            offline=True,
        ),
    )


if __name__ == "__main__":
    main()
