"""Concept relevance: what each channel of a layer contributed, and stands for."""
