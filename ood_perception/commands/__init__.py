"""The verbs of `ood` that need no training side, grouped by what they work on."""
