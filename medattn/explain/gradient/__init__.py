"""Gradient methods, class activation maps and neuron visualisation."""
