"""Predict a training run on any cluster; this room knows machines, never posts.

>>> from hubbub.plan import find_cluster, find_model, search
>>> found = search(find_model("llama3-8b"), find_cluster("h100"), 64, precision="fp8")
>>> found.ranked[0].prediction.fits
True
"""

from hubbub.plan.calibrate import calibrate
from hubbub.plan.hardware import find_cluster, find_gpu
from hubbub.plan.layouts import search
from hubbub.plan.models import find_model
from hubbub.plan.predict import Prediction, predict, predict_layouts
from hubbub.plan.stacks import find_stack
from hubbub.plan.validate import Validation, validate

__all__ = [
    "Prediction",
    "Validation",
    "calibrate",
    "find_cluster",
    "find_gpu",
    "find_model",
    "find_stack",
    "predict",
    "predict_layouts",
    "search",
    "validate",
]
