"""A picture that moves with a person in front of a camera, while it happens."""
