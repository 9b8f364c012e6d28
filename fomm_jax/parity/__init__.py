"""Compare this project with the original, recorded or running beside it."""
