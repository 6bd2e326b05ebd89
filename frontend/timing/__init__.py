"""Timing compiled models beside other runtimes, fairly: in turns, in one run, with the peak."""
