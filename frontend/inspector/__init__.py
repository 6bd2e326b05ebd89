"""Showing what the compiler did: differences, pictures, and a page to read in a browser."""
