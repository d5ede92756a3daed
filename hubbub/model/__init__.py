"""The language model itself: shape, weights, generation and export; it never trains, never sees a post."""

import os

# Threads that wait spin otherwise: with two on a busy machine of two cores a step of 3M weights took 1.2 s of
# CPU time and more, so .3 (decision 153).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
