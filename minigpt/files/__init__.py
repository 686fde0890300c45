"""What is on disk whole or not at all: one file, one folder, one JSON object, bytes with a known sha256."""
