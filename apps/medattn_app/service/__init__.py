"""Networks ready to answer, their experiments, uploads and texts."""
