"""Networks whose weights are written down, so that what they use is known."""
