"""Synthetic retinas: what is sampled, and how it is rendered."""

from medattn.data.synthetic.fundus.rendering import EVIDENCE, NUISANCE, render

__all__ = ["EVIDENCE", "NUISANCE", "render"]
