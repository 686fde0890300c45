"""Generation beside a peer: what writes, and how fast."""
