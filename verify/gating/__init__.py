"""`verify gate`: the commands of this program as one check, for continuous integration."""
