"""Doubt it: experiments that move a number."""
