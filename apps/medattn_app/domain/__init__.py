"""What there is to choose: cases, networks, methods, and the question itself."""
