"""Predict a training run on any cluster; this room knows machines, never posts."""
