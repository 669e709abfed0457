"""Proofs and tests of synchronisation strategies for a GPU driver's command encoders."""
