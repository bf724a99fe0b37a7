"""Tools that reason about policies: tests, explanations, replay. They decide through the engine and nothing else."""
