"""Train the networks: loop, step, losses, sharding, logging."""
