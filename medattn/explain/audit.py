"""The ledger in words."""


def audit_line(audit, sample=0):
    """Writes one sample's audit as a sum that can be checked by eye.

    Args:
        audit: The dict that `analyzer.audit(x)` gives.
        sample: Which of the batch.

    Returns:
        A line such as `"pixels 1.92 + biases 0.31 = logit 2.23"`, with what a rule
        dropped if it did, or `"pixels 1.92 = logit 2.23 − reference 0.31"` of DeepLIFT;
        where relevance is lost, with what is missing.
    """
    held = {key: float(values[sample]) for key, values in audit.items()}
    logit, error = held["logit"], held["error"]
    line = f"pixels {_number(held['relevance'])}"
    if "absorbed" in held:
        line += _term("biases", held["absorbed"])
    if "others" in held:
        line += _term("other inputs", held["others"])
    if abs(held.get("dropped", 0)) >= 0.005:
        line += _term("dropped", held["dropped"])
    line += f" = logit {_number(logit)}"
    if "reference" in held:
        line += _term("reference", -held["reference"])
    if abs(error) > 1e-3 * max(1.0, abs(logit)):
        return f"{line} fails: {error:+.2g} is missing"
    return line


def _term(name, value):
    sign, size = ("+", value) if value >= 0 else ("−", -value)
    return f" {sign} {name} {size:.2f}"


def _number(value):
    return f"{value:.2f}".replace("-", "−")
