"""The lesson: a guided path."""
