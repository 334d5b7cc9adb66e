"""Training a model, by any method and from any kind of label."""
