"""Label maps as YAML data: how the ids in a data set's pictures become training labels."""
