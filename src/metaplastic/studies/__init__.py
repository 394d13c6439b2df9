"""Questions and how they were answered: the paper's experiments and the demo."""
