"""Mutation testing: one change at a time, judged by Lean, by the explorer and by a native run.

`run` judges, `verify mutate` (`verify.mutation.command`) is the command.
"""

from verify.mutation.campaign import SIDES, run
from verify.records.mutate import Group, Judgement, Mutant, Mutation, Side

__all__ = ["SIDES", "Group", "Judgement", "Mutant", "Mutation", "Side", "run"]
