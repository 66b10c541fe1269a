"""Features: log-mel frames of every segment, embeddings of every poster and text, computed once and kept in Parquet."""
