"""The stages of dvc.yaml, one module each: read files, call `pipeline`, write files."""
