"""Layer-wise relevance propagation: rules, their composites, and the propagation."""
