"""The verb app: opens the explainer in a browser."""

import logging
import os
import sys
from pathlib import Path

from medattn.cli.backend import import_backend


def app(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = True,
    lang: str = "en",
    lesson: str | None = None,
    auth: str | None = None,
    share: bool = False,
    offline: bool = False,
    queue: int = 64,
    uploads: bool = True,
    max_upload: str = "20mb",
    models: Path | None = None,
    mcp: bool = False,
) -> None:
    """Open the explainer: toggle attention and data, and watch answer and reasons.

    Args:
        host: Address to listen on; 0.0.0.0 serves a class on the same network.
        port: Port to listen on; 0 takes a free one.
        open_browser: Whether to open the page here, where there is a screen.
        lang: Language of the first page: en or pt.
        lesson: Lesson that opens first: first, maps, data or attention.
        auth: Who may come in, NAME:PASSWORD, or a file with one such line each.
        share: Whether a public address of Gradio's service leads here.
        offline: Whether a connection to any other machine is refused.
        queue: Questions that may wait at once.
        uploads: Whether visitors may send images.
        max_upload: Largest file that they may send, such as 20mb.
        models: Folder of .keras models of your own, of medattn train, to offer.
        mcp: Whether language models may use the endpoints; needs medattn[mcp].
    """
    from medattn_app.server.launch import check, launch, read_auth
    from medattn_app.service.context import Settings

    settings = Settings(
        language=lang,
        lesson=lesson,
        max_upload=max_upload,
        uploads=uploads,
        own_models=None if models is None else str(models),
        offline=offline,
        queue=queue,
    )
    check(settings, share=share, mcp=mcp)
    pairs = None if auth is None else read_auth(auth)
    print("Loading the networks: a moment.", flush=True)
    import_backend()
    # Each network is compiled once; TensorFlow warns of several similar functions.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    launch(
        host=host,
        port=port,
        open_browser=open_browser and _has_screen(),
        settings=settings,
        auth=pairs,
        share=share,
        mcp=mcp,
    )


def _has_screen() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
