"""Explore: one question, its answer, its reasons, and the grid."""
