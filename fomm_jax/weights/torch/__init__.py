"""Read and write PyTorch's files without PyTorch."""
