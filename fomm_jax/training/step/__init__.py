"""One step of training: inputs, losses, gradients, updates, and how they are compiled."""
