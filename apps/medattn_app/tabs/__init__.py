"""One folder a tab; what they share is in common."""
