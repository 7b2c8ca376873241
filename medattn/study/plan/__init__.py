"""What is to be run: trials, studies, presets."""
