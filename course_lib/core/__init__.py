"""What everything else stands on: errors, session, rows, progress, chat messages."""
