"""What a learner sees and touches: plots, tables, questions."""

from course_lib.display import plots as plots
