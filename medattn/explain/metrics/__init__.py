"""Metrics of relevance maps: localisation, deletion, sanity checks, sensitivity."""
