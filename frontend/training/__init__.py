"""Training: data in batches, the progress bar, and what a training loop tells of itself."""
