"""The pool's tests; not part of the wheel."""
