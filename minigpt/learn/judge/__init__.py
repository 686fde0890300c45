"""The judge of an attempt: it runs in another process, the equation decides, and the reply names the mistake."""

from minigpt.learn.judge.reply import Reply

__all__ = ["Reply"]
