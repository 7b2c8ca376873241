"""A Keras model as a list of steps, and the role of each step."""
