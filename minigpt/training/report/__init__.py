"""What a run shows while it trains: its history, loggers and a progress bar."""
