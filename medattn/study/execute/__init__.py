"""Running trials: scheduler, engines, leases, training."""
