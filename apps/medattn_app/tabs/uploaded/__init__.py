"""Your own: an uploaded image, a model of the host."""
