"""How good a map is: localisation, deletion, sanity checks, sensitivity."""
