"""Drawn images whose evidence is known to the pixel."""
