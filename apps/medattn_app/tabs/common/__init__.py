"""What several tabs share: the chooser, overlays, plots, export."""
