"""The Gradio explainer: no maths, no model code; it talks to the public face only."""

import os

# Before anything imports Gradio or a hub's client: ask nobody anything.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"

from medattn_app.server.launch import launch  # noqa: E402

__all__ = ["launch"]
