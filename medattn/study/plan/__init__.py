"""What is to be run: trials, studies, presets, and how long they take."""
