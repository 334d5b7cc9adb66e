"""Lesson 03: English into SQL, graded by running it."""

from course_lib.lessons.sql.cleaning import clean as clean
from course_lib.lessons.sql.contests import contest as contest
from course_lib.lessons.sql.contests import how_sure as how_sure
from course_lib.lessons.sql.running import SqlError as SqlError
from course_lib.lessons.sql.running import run_sql as run_sql
from course_lib.lessons.sql.running import same_results as same_results
from course_lib.lessons.sql.task import FRONT_DESK as FRONT_DESK
from course_lib.lessons.sql.task import SqlPair as SqlPair
from course_lib.lessons.sql.task import SqlTask as SqlTask
from course_lib.lessons.sql.task import SqlWriter as SqlWriter
from course_lib.lessons.sql.task import load_sql as load_sql
from course_lib.lessons.sql.task import sql_prompt as sql_prompt
from course_lib.lessons.sql.text import standard_style as standard_style
