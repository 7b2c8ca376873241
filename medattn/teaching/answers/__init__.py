"""Checks of the exercises: each computes the expected result in a second way."""
