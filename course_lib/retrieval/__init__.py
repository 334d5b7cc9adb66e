"""Finding pages and reading them: documents, stores, indexes, readers, RAFT."""
