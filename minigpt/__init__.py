"""minigpt."""
