"""Trial steps: what a step would do to the loss, asked before it is taken."""
