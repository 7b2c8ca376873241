"""How long trials will take on this machine."""

from collections.abc import Collection

from medattn.study.plan.trial import SHAPES, Trial

# Seconds of a trial with one thread, batches of 32 at 64 x 64, when two run at once on
# two cores: of a step, of the rest of the training (start, compiling, validation,
# test), and of the maps of one analyzer. Medians over the first 18 trials of the micro
# study, read from the times of their logs; those trials took 260 s, and are estimated
# at 236. A step of one process alone takes 0.016 to 0.030; a busier machine is slower.
SECONDS_PER_STEP = {
    "micro_densenet": 0.030,
    "micro_resnet": 0.022,
    "se_micro_densenet": 0.035,
    "se_micro_resnet": 0.025,
    "cbam_micro_densenet": 0.040,
    "cbam_micro_resnet": 0.032,
    "micro_deit": 0.021,
}
SECONDS_OVERHEAD = 11.0
SECONDS_PER_ANALYZER = 6.5


def estimate_seconds(
    trials: Collection[Trial], *, analyzers: int = 1, workers: int = 1
) -> float | None:
    """Estimates the wall time of trials on this machine.

    Args:
        trials: `Trial`s.
        analyzers: How many score their maps in each.
        workers: Trials at once.

    Returns:
        Seconds, or None if a network among them was never timed.
    """
    if any(t.model not in SECONDS_PER_STEP or t.epochs for t in trials):
        return None
    total = 0.0
    for trial in trials:
        images = trial.steps * trial.batch_size / 32 * (trial.size / 64) ** 2
        total += SECONDS_PER_STEP[trial.model] * images + SECONDS_OVERHEAD
        total += SECONDS_PER_ANALYZER * analyzers * (trial.dataset != SHAPES)
    return total / workers


def duration(seconds: float) -> str:
    """Writes seconds for people: `2 h 05 min`, `3 min 20 s`, `8 s`."""
    seconds = round(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
    if seconds >= 60:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds} s"
