"""The ledger in words."""


def audit_line(audit, sample=0):
    """Writes one sample's audit as a sum that can be checked by eye.

    Args:
        audit: The dict that `analyzer.audit(x)` gives.
        sample: Which of the batch.

    Returns:
        A line such as `"pixels 1.92 + biases 0.31 = logit 2.23"`, or, where relevance
        is lost, with what is missing.
    """
    logit, relevance, absorbed, error = (
        float(audit[key][sample]) for key in ("logit", "relevance", "absorbed", "error")
    )
    sign, size = ("+", absorbed) if absorbed >= 0 else ("−", -absorbed)
    line = (
        f"pixels {_number(relevance)} {sign} biases {size:.2f} = logit {_number(logit)}"
    )
    if abs(error) > 1e-3 * max(1.0, abs(logit)):
        return f"{line} fails: {error:+.2g} is missing"
    return line


def _number(value):
    return f"{value:.2f}".replace("-", "−")
