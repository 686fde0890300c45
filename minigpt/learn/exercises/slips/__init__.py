"""Classic mistakes, one module for each exercise: what was understood differently, beside the code that does so."""
