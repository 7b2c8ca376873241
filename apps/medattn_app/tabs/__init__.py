"""One folder a tab; what several tabs use is in common."""
