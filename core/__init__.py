"""The pool: its words, rules and ledger. Knows no platform, no clock and no configuration file."""
