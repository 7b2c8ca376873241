"""Attention read from the model: gates, rollout, transformer attribution."""
