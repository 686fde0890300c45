"""The exercises of ``mg.check``, one module for each stage of the course."""
