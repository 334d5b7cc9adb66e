"""What one lesson alone needs; a lesson imports it by name: `from course_lib.lessons import tickets`."""
