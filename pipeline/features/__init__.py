"""Features: audio of every segment, embeddings of every poster and text, computed once and stored in Parquet."""
