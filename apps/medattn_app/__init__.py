"""The Gradio explainer: no maths, no model code; it talks to the public face only."""

from medattn_app.page import build_app, launch

__all__ = ["build_app", "launch"]
