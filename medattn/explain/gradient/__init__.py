"""The gradient family, class activation maps and neuron visualisation."""
