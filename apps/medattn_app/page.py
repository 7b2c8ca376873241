"""The page: what I change on the left, what it answers and why on the right."""

import threading
from pathlib import Path

from medattn_app.first_bench import (
    ATTENTION,
    METHODS,
    REGIMES,
    Bench,
    baselines,
    gallery,
)
from medattn_app.first_bench import upload as read_upload
from medattn_app.view import page, thumbnails

HERE = Path(__file__).parent
FIRST = dict(place=0, attention="CBAM", regime="100 %", method="LRP, epsilon rule")
HEADER = """
<header class="ma-header"><h1>medattn</h1>
<p>I change one thing: what happens to the answer, and to the reasons?</p>
<strong>not for diagnosis</strong></header>
"""


def build_app(bench=None):
    """Builds the page.

    Args:
        bench: A `Bench`; a new one unless given.

    Returns:
        A `gradio.Blocks`, to be started by `launch`.
    """
    import gradio as gr

    bench = bench or Bench()
    cases = gallery()

    def chosen_case(choice):
        return cases[choice] if isinstance(choice, int) else choice

    def show(choice, attention, regime, method):
        case = chosen_case(choice)
        answers = bench.compare(case, REGIMES[regime], METHODS[method])
        return page(
            case,
            answers,
            attention=attention,
            regime=regime,
            method=(method, METHODS[method]),
            baselines=baselines(case),
        )

    def pick(attention, regime, method, event: gr.EventData):
        place = event._data.get("place") if isinstance(event._data, dict) else None
        if not isinstance(place, int) or not 0 <= place < len(cases):
            raise gr.Error(f"There is no image {place!r} in the gallery.")
        return place, thumbnails(cases, place), show(place, attention, regime, method)

    def step(choice, regime, method, event: gr.EventData):
        key = event._data.get("attention") if isinstance(event._data, dict) else None
        if key not in ATTENTION:
            raise gr.Error(f"There is no attention block {key!r}.")
        return key, show(choice, key, regime, method)

    def receive(path, attention, regime, method):
        try:
            case = read_upload(path)
        except ValueError as error:
            raise gr.Error(str(error), title="This file cannot be used") from error
        return case, thumbnails(cases, None), show(case, attention, regime, method)

    with gr.Blocks(
        title="medattn", analytics_enabled=False, delete_cache=(600, 3600)
    ) as app:
        gr.HTML(HEADER)
        choice = gr.State(FIRST["place"])
        with gr.Row(elem_classes="ma-page"):
            with gr.Column(scale=1, min_width=288, elem_classes="ma-controls"):
                images = gr.HTML(
                    thumbnails(cases, FIRST["place"]),
                    js_on_load=_script("gallery.js"),
                    elem_id="ma-gallery",
                )
                own = gr.UploadButton("your own image", size="sm", elem_id="ma-upload")
                attention = gr.Radio(
                    list(ATTENTION),
                    value=FIRST["attention"],
                    label="attention",
                    info="the block inside the network",
                    elem_id="ma-attention",
                )
                regime = gr.Radio(
                    list(REGIMES),
                    value=FIRST["regime"],
                    label="data",
                    info="share of 4,000 drawings it learnt from",
                    elem_id="ma-regime",
                )
                method = gr.Dropdown(
                    list(METHODS),
                    value=FIRST["method"],
                    label="method",
                    info="how the map is made",
                    elem_id="ma-method",
                )
            with gr.Column(scale=4, min_width=320):
                view = gr.HTML(
                    "<p class='ma-wait'>The networks are being compiled: a few "
                    "seconds.</p>",
                    js_on_load=_script("viewer.js"),
                    elem_id="ma-view",
                )
        knobs = [attention, regime, method]
        shared = dict(
            concurrency_id="networks",
            trigger_mode="always_last",
            show_progress="hidden",
        )
        private = dict(shared, api_visibility="private")
        seen = [choice, *knobs]
        gr.on(
            [knob.input for knob in knobs], show, seen, view, api_name="show", **shared
        )
        app.load(show, seen, view, **private)
        images.click(pick, knobs, [choice, images, view], **private)
        view.select(step, [choice, regime, method], [attention, view], **private)
        own.upload(receive, [own, *knobs], [choice, images, view], **private)
    return app


def launch(*, host="127.0.0.1", port=7860, open_browser=False, block=True):
    """Opens the app in a server of its own.

    Nothing leaves the machine: analytics and update checks are off, fonts come with
    Gradio, and no example is fetched.

    Args:
        host: Address to listen on; `"0.0.0.0"` to serve a class.
        port: Port to listen on; 0 takes a free one.
        open_browser: Whether to open the page here.
        block: Whether to wait until the server is stopped.

    Returns:
        The running `gradio.Blocks`.

    Raises:
        OSError: If the port is taken.
    """
    bench = Bench()
    app = build_app(bench)
    import gradio as gr

    # Gradio's SemiBold files hold no Latin letters or digits (6.31): take Bold instead.
    sans, mono = (
        gr.themes.LocalFont(f"IBM Plex {kind}", weights=(400, 700))
        for kind in ("Sans", "Mono")
    )
    try:
        app.launch(
            server_name=host,
            server_port=port or None,
            inbrowser=open_browser,
            prevent_thread_lock=True,
            css=(HERE / "page.css").read_text(),
            theme=gr.themes.Base(
                primary_hue="orange",
                neutral_hue="stone",
                font=[sans, "sans-serif"],
                font_mono=[mono, "monospace"],
            ),
            share=False,
            quiet=True,
            ssr_mode=False,
            run_history=False,
            show_error=True,
            footer_links=[],
            max_file_size="20mb",
        )
    except OSError:
        raise OSError(
            f"The port {port} is taken. Expected a free one, such as --port {port + 1}."
        ) from None
    print(f"The explainer is open at {app.local_url} (Ctrl-C ends it).", flush=True)
    # Only now, and stopped before the process ends: TensorFlow must not be compiling
    # in a thread when Python shuts down.
    warming = threading.Thread(target=bench.warm_up)
    warming.start()
    if block:
        try:
            app.block_thread()
        finally:
            bench.rest()
            warming.join()
    return app


def _script(name):
    return (HERE / name).read_text()
