"""A formula that can be touched: typeset from its own syntax tree, with the values of its parts behind them."""

from minigpt.equations.explorer.limits import refuse_large
from minigpt.equations.explorer.page import Exploration, explored

__all__ = ["Exploration", "explored", "refuse_large"]
