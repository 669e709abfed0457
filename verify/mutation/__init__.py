"""Mutation testing: one change at a time, judged by Lean, by the explorer and by a native run.

`run` judges, `verify mutate` (`verify.mutation.command`) is the command.
"""

from verify.mutation.campaign import SIDES, Group, Judgement, Report, Row, Side, run

__all__ = ["SIDES", "Group", "Judgement", "Report", "Row", "Side", "run"]
