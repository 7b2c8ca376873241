"""From predictions and maps to metrics, intervals and verdicts."""
