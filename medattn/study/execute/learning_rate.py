"""The learning rate of each step, set from outside the compiled training step."""

import math

import keras


class CosineDecay(keras.callbacks.Callback):
    """Raises the learning rate for a tenth of the steps, then lowers it to zero.

    Step t of T, with W = max(1, T // 10) steps of warm-up, is taken at
    `peak * t / W` while t < W, and then at
    `peak * (1 + cos(pi * (t - W) / (T - W))) / 2` (Loshchilov and Hutter, 2017,
    "SGDR", equation 5, without restarts). The rate hangs on the optimiser's own count
    of steps alone, so that an interrupted training goes on as it would have.

    A `keras.optimizers.schedules.CosineDecay` gives the same rates, but AdamW asks it
    once for each variable, and compiling a training step took half as long again.

    Args:
        peak: The highest rate.
        steps: Of the whole training.
    """

    def __init__(self, peak: float, steps: int) -> None:
        super().__init__()
        self.peak, self.steps = peak, steps
        self.warmup = max(1, steps // 10)

    def rate(self, step: int) -> float:
        """Returns the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * step / self.warmup
        length = max(1, self.steps - self.warmup)
        done = min(1.0, (step - self.warmup) / length)
        return self.peak * (1 + math.cos(math.pi * done)) / 2

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        """Asks the optimiser where the training stands."""
        self.step = int(self.model.optimizer.iterations.numpy())

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        """Sets the rate of the step that comes."""
        if hasattr(self.model, "jax_state_sync"):  # on JAX, `fit` holds the variables
            self.model.jax_state_sync()
        self.model.optimizer.learning_rate.assign(self.rate(self.step + batch))
