"""The page of the pre-registrations: docs/preregistration.md is what this writes."""

from collections.abc import Sequence

from medattn.study.plan.preregistration import (
    PlannedContrast,
    Preregistration,
    list_preregistrations,
    percent,
    read_preregistration,
)

# The rules of a pre-registration, each with its heading.
RULES = {
    "unit": "Unit of analysis",
    "tests": "Tests",
    "verdicts": "Verdicts",
    "stopping": "Stopping rule",
    "failures": "Failed trials",
    "budgets": "Training",
    "exploratory": "Not registered",
}
INTRODUCTION = """\
# Pre-registration

What the study of the micro networks was to answer, and how, committed before its \
first trial; the page's history in git says when. It is written by \
`medattn.study.plan.preregistration_page` from \
{files} in \
`medattn/study/plan/preregistrations`; the report computes its verdicts from the same \
files. A plan that cannot answer one of these contrasts is refused.
"""


def preregistration_page(registered: Sequence[Preregistration] = ()) -> str:
    """Writes what was registered, as Markdown.

    Args:
        registered: What to write; those that are shipped unless given. Rules that are
            those of the first are not repeated.

    Returns:
        The page.
    """
    registered = registered or [
        read_preregistration(name) for name in list_preregistrations()
    ]
    files = " and ".join(f"`{one.name}.toml`" for one in registered)
    parts = [INTRODUCTION.format(files=files)]
    if not registered:
        return parts[0]
    first = registered[0]
    for rule, heading in RULES.items():
        parts.append(f"## {heading}\n\n{getattr(first, rule)}\n")
    for one in registered:
        parts.append(f"## {one.title}\n\n{_size(one)}\n")
        for rule, heading in RULES.items():
            if getattr(one, rule) != getattr(first, rule):
                parts.append(f"{heading}: {getattr(one, rule)}\n")
        for hypothesis in one.hypotheses:
            planned = [c for c in one.contrasts if c.hypothesis == hypothesis.id]
            parts.append(f"### {hypothesis.id}\n\n**{hypothesis.question}**\n")
            parts.append(f"Expected: {hypothesis.expectation}\n")
            parts.append(_family_lines(planned) + "\n")
    return "\n".join(parts)


def _size(one: Preregistration) -> str:
    """Writes which networks, data sets, amounts of data and seeds are needed."""
    contrasts = one.contrasts
    models = list(dict.fromkeys(n for c in contrasts for n in (*c.one, *c.other)))
    datasets = list(dict.fromkeys(name for c in contrasts for name in c.datasets))
    regimes = sorted({regime for c in contrasts for regime in c.regimes})
    seeds = sorted({seed for c in contrasts for seed in c.seeds})
    networks = {network for c in contrasts for network in c.networks()}
    return (
        f"Study `{one.name}`: {len(contrasts)} contrasts in {len(one.families())} "
        f"families. {len(models)} networks ({', '.join(models)}) on "
        f"{', '.join(datasets)}, trained on {', '.join(map(percent, regimes))} of the "
        f"data with {len(seeds)} seeds, {seeds[0]} to {seeds[-1]}: "
        f"{len(networks) * len(seeds)} trials."
    )


def _family_lines(planned: Sequence[PlannedContrast]) -> str:
    """Writes the contrasts of a hypothesis as a table, and what their test can show."""
    heads = (
        "contrast", "one side", "other side", "data sets", "data", "seeds", "region",
        "expected",
    )  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join(['---'] * len(heads))} |"]
    for contrast in planned:
        points = 100 * contrast.rope
        region = f"±{points:g} point{'s' * (points != 1)}"
        other = _names(contrast.other)
        if contrast.kind == "correlation":
            region, other = f"±{contrast.rope:g}", f"with `{contrast.against}`"
        cells = (
            contrast.name,
            _names(contrast.one),
            other,
            ", ".join(contrast.datasets),
            ", ".join(map(percent, contrast.regimes)),
            str(len(contrast.seeds)),
            region,
            contrast.expectation,
        )
        lines.append(f"| {' | '.join(cells)} |")
    first = planned[0]
    fewest = min(len(contrast.seeds) for contrast in planned)
    smallest, strictest = 2.0 ** (1 - fewest), 0.05 / len(planned)
    can = "passes" if smallest <= strictest else "does not pass"
    lines += [
        "",
        f"Metric: `{first.metric}`. Matched: {', '.join(('seed', *first.matched))}. "
        f"With {fewest} seeds the smallest exact p is 2/{2**fewest} = {smallest:.4f}, "
        f"which {can} Holm's strictest level of {len(planned)}, .05/{len(planned)} = "
        f"{strictest:.4f}.",
    ]
    return "\n".join(lines)


def _names(models: Sequence[str]) -> str:
    """Writes the networks of a side, or how many they are."""
    return ", ".join(models) if len(models) <= 3 else f"{len(models)} networks"
