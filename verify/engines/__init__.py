"""Engines that check Lean modules: the embedded one, and lake where it is installed.

Importing this package costs nothing; its modules import what they need when they need it.
"""
