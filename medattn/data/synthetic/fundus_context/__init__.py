"""Synthetic retinas in context: the optic disc decides which lesions are evidence."""

from medattn.data.synthetic.fundus_context.rendering import EVIDENCE, NUISANCE, render

__all__ = ["DRAWS_ON", "EVIDENCE", "NUISANCE", "render"]

DRAWS_ON = ("fundus",)  # the domains whose code renders a part of these images
