"""The networks of the first-order motion model (Siarohin et al., NeurIPS 2019)."""
