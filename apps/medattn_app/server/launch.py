"""The server: what the host decides, and nothing that leaves the machine."""

import atexit
import importlib.util
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_app.domain.texts import Words
from medattn_app.gradio_private import LAUNCH_WITHOUT_SELF_CHECK
from medattn_app.server.offline import refuse_other_machines
from medattn_app.service.context import Context, Settings
from medattn_app.service.memory import (
    freeze_garbage_collection,
    keep_memory_down,
    share_arenas,
)
from medattn_app.service.networks import NetworkService
from medattn_app.service.uploads import read_size
from medattn_app.tabs.common.colours import colour_properties
from medattn_app.tabs.lesson.path import begin

if TYPE_CHECKING:
    import gradio as gr

APP = Path(__file__).parents[1]
STYLES = (
    "tabs/explore/explore.css",
    "tabs/inside/inside.css",
    "tabs/lesson/lesson.css",
    "tabs/uploaded/uploaded.css",
    "server/page.css",
    "tabs/common/tabs.css",
    "tabs/doubt/doubt.css",
    "tabs/predict/predict.css",
    "tabs/evidence/evidence.css",
)
MAX_THREADS = 40  # of the server; questions to the networks still go one by one
MAX_SESSIONS = 500  # of which the page's state is kept in memory
MAX_QUEUE = 10_000
ACCENT, DARK_ACCENT = "#b34700", "#8f3a00"  # white on it is read at 5.9 to 1


def launch(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    open_browser: bool = False,
    block: bool = True,
    settings: Settings | None = None,
    auth: list[tuple[str, str]] | None = None,
    share: bool = False,
    mcp: bool = False,
) -> "gr.Blocks":
    """Opens the app in a server of its own.

    Nothing leaves the machine unless `share` is set: analytics and update checks are
    off, fonts come with Gradio, and no example is fetched.

    Args:
        host: Address to listen on; `"0.0.0.0"` to serve a class.
        port: Port to listen on; 0 takes a free one.
        open_browser: Whether to open the page here.
        block: Whether to wait until the server is stopped.
        settings: The host's `Settings`; the defaults unless given.
        auth: Pairs of name and password, or None for an open page.
        share: Whether Gradio's service opens a public address that leads here.
        mcp: Whether the endpoints are offered to language models, too.

    Returns:
        The running `gradio.Blocks`.

    Raises:
        OSError: If the port is taken.
        ValueError: If two settings contradict each other, or a package is missing.
    """
    settings = settings or Settings()
    check(settings, share=share, mcp=mcp)
    if settings.offline:
        refuse_other_machines(also=host)
    folder = _private_folder()
    share_arenas()

    from medattn_app.server.page import build_app

    service = NetworkService()
    app = build_app(Context(service, Words(settings.language), settings))
    app.queue(max_size=settings.queue)
    options = _page_options()
    try:
        app.launch(
            server_name=host,
            server_port=port or _free_port(host),
            inbrowser=open_browser,
            auth=auth,
            share=share,
            mcp_server=mcp,
            max_file_size=settings.max_upload,
            **options,
        )
    except OSError:
        raise OSError(
            f"The port {port} is taken. Expected a free one, such as --port {port + 1}."
        ) from None
    print(f"The explainer is open at {app.local_url} (Ctrl-C ends it).", flush=True)
    if share:
        print(f"Anybody who knows the address may come: {app.share_url}", flush=True)
    app.medattn_uploads = folder
    keep_memory_down(app)
    _warm_up_beside(service, app, block)
    return app


def check(settings: Settings, *, share: bool = False, mcp: bool = False) -> None:
    """Refuses what cannot be served, before anything is loaded.

    Args:
        settings: A `Settings`.
        share: As in `launch`.
        mcp: As in `launch`.

    Raises:
        ValueError: In three parts.
    """
    Words(settings.language)
    if settings.lesson is not None:
        begin(settings.lesson)
    read_size(settings.max_upload)
    if share and settings.offline:
        raise ValueError(
            "A shared page is served through another machine. Expected --share or "
            "--offline. Received: both"
        )
    if mcp and importlib.util.find_spec("mcp") is None:
        raise ValueError(
            "The package mcp is not installed. Expected "
            '`pip install "medattn[mcp]"`. Received: --mcp'
        )
    if not 1 <= settings.queue <= MAX_QUEUE:
        raise ValueError(
            "The queue holds the questions that wait. Expected 1 to "
            f"{MAX_QUEUE:,}. Received: queue={settings.queue}"
        )
    if settings.own_models is not None and not Path(settings.own_models).is_dir():
        raise ValueError(
            "There is no such folder of models. Expected a folder with .keras files. "
            f"Received: models={str(settings.own_models)!r}"
        )


def read_auth(text: str) -> list[tuple[str, str]]:
    """Reads who may come in.

    Args:
        text: `"name:password"`; or the path of a file with one such line each, so that
            no password is in the list of processes.

    Returns:
        Pairs of name and password.
    """
    path = Path(text)
    lines = path.read_text().splitlines() if path.is_file() else [text]
    parts = [line.partition(":") for line in lines if line.strip()]
    pairs = [(name, password) for name, _, password in parts]
    if not pairs or not all(name and password for name, password in pairs):
        raise ValueError(
            "Nobody could come in. Expected NAME:PASSWORD, or a file with one such "
            f"line each. Received: {len(lines)} lines, not all with a name and a "
            "password"
        )
    return pairs


def _page_options() -> dict[str, Any]:
    """Returns the options of `gradio.Blocks.launch` that no host changes."""
    return dict(
        prevent_thread_lock=True,
        css="\n".join(
            [colour_properties(), *((APP / path).read_text() for path in STYLES)]
        ),
        theme=_theme(),
        quiet=True,
        ssr_mode=False,
        run_history=False,
        show_error=True,
        footer_links=[],
        max_threads=MAX_THREADS,
        state_session_capacity=MAX_SESSIONS,
        allowed_paths=[],
        enable_monitoring=False,
        strict_cors=True,
        **LAUNCH_WITHOUT_SELF_CHECK,
    )


def _theme() -> "gr.themes.Base":
    """Makes the page's colours and letters, dark enough to be read on their ground."""
    from gradio import themes

    # Gradio's SemiBold files hold no Latin letters or digits (6.31): take Bold instead.
    sans, mono = (
        themes.LocalFont(f"IBM Plex {kind}", weights=(400, 700))
        for kind in ("Sans", "Mono")
    )
    theme = themes.Base(
        primary_hue="orange",
        neutral_hue="stone",
        font=[sans, "sans-serif"],
        font_mono=[mono, "monospace"],
    )
    return theme.set(
        color_accent=ACCENT,
        button_primary_background_fill=ACCENT,
        button_primary_background_fill_dark=ACCENT,
        button_primary_background_fill_hover=DARK_ACCENT,
        button_primary_background_fill_hover_dark=DARK_ACCENT,
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        block_info_text_color="#57534e",
        block_info_text_color_dark="#b5aea8",
        block_label_text_color="#44403c",
        block_label_text_color_dark="#d6d3d1",
        body_text_color_subdued="#57534e",
        body_text_color_subdued_dark="#b5aea8",
    )


def _free_port(host: str) -> int:
    """Finds a port that nobody listens on.

    Gradio's own search tries the same hundred one by one, and two apps that start at
    once take the same.
    """
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def _private_folder() -> str:
    """Makes a folder for what visitors send, of this process only, gone at its end."""
    folder = tempfile.mkdtemp(prefix="medattn-app-")
    os.environ["GRADIO_TEMP_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _warm_up_beside(service: NetworkService, app: "gr.Blocks", block: bool) -> None:
    """Compiles the networks while the first visitor looks around."""
    # Only now, and stopped before the process ends: TensorFlow must not be compiling
    # in a thread when Python shuts down.
    warming = threading.Thread(target=warm_up, args=(service,))
    warming.start()
    if block:
        try:
            app.block_thread()
        finally:
            service.stop()
            warming.join()


def warm_up(service: NetworkService) -> None:
    """Computes in advance what the first answers of each kind would wait for."""
    from medattn_app.service.distance import measure_distance

    service.warm_up()
    for dataset in service.datasets():
        measure_distance(service.cases(dataset)[0], dataset)
    freeze_garbage_collection()
