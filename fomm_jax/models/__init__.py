"""The networks: keypoint detector, generator, discriminator, perceptual network."""
