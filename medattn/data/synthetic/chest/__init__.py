"""Synthetic chest films: what is sampled, and how it is rendered."""

from medattn.data.synthetic.chest.rendering import EVIDENCE, NUISANCE, draw

__all__ = ["EVIDENCE", "NUISANCE", "draw"]
