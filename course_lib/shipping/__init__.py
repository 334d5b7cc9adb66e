"""Putting a model to work: serving, hosted fine-tuning, model cards."""
