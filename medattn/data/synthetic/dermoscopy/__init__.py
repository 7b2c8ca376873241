"""Synthetic moles: what is sampled, and how it is rendered."""

from medattn.data.synthetic.dermoscopy.rendering import EVIDENCE, NUISANCE, render

__all__ = ["EVIDENCE", "NUISANCE", "render"]
