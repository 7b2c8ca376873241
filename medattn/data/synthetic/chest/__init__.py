"""Synthetic chest films: what is sampled, and how it is rendered."""

from medattn.data.synthetic.chest.rendering import EVIDENCE, NUISANCE, render

__all__ = ["EVIDENCE", "NUISANCE", "render"]
