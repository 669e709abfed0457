"""`verify report`: one page made of recorded results, and of nothing else."""
