"""What is true of a wrong result that no known misconception explains, found by transforming results and inputs."""
