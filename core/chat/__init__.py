"""What people say to the pool and what it answers, the same on every platform."""
