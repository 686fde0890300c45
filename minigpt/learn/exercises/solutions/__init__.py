"""Right answers, one module for each stage; they are shown once an exercise is solved."""
