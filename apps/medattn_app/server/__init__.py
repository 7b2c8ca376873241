"""Launch, limits, offline, and the page that holds all tabs."""
