"""What runs after compilation: loading, buffers, calling."""
