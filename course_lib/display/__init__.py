"""What a learner sees and touches: plots, tables, questions."""
