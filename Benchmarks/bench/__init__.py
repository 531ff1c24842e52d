"""The parts of `Benchmarks/run`: servers, accounting, rows, report."""
