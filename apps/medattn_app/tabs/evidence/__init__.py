"""The evidence: the study's report."""
