"""Where a run computes: on which device, and in how many processes."""
