"""A round: read a snapshot (`gather`), decide purely (`decide`), write down (`apply`), at the due moment (`hold`)."""
