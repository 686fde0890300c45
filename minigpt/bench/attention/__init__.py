"""Attention by itself: the problems it is timed on, what computes it, how fast, how exact, and in which tiles."""
