"""DeepLIFT: rules for differences from a reference, and their propagation."""
