"""Between the pool and where people chat: adapters translate and hold no rules."""
