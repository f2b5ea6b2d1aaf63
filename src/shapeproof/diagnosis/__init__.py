"""Why a derivation failed, and which edits mend it: each is tried on a copy of the model before it is offered."""
