"""The training verbs of the command `ood`, one a file; heavy imports wait until a verb runs."""
