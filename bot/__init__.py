"""What people start: the command line, configuration, wiring, the clock. The only part that knows the others."""
