"""Predict first: the learner answers before the network."""
