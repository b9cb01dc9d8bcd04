"""Model and examples in, metrics, verdict and report out."""
