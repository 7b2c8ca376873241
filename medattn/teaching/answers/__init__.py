"""What judges the exercises: each result a second time, by another way."""
