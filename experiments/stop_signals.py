"""Which signals ask a training to stop."""

import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
"""What schedulers send before they take a machine away."""
