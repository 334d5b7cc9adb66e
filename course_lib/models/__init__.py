"""The language models: loading, asking, scoring, quantizing, looking inside."""
