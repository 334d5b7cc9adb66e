"""The drawings, a module each: `given()` is what one takes from the data, `alt` its text, `draw` its page."""
