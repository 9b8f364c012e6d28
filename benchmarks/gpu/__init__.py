"""The parts of `benchmarks.gpu_report`."""
