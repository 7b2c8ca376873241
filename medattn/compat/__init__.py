"""Other libraries' names: scripts written for them run by changing one import."""
