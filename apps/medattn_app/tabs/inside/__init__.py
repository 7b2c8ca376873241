"""Look inside: the network's own attention."""
